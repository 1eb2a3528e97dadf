"""Features of the network that finds bodies, for eq. 3, 7 and 8 where there is no VGG-19.

Its file is there anyway (person/blazepose/models.py) and knows what hands, faces and legs look
like. It is read into torch when a training begins, and is no part of any weights.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.errors import MissingExtraError, WeightsError
from dancepipe.losses.taps import FeatureTaps
from dancepipe.person.blazepose.litert import silent_stderr
from dancepipe.person.blazepose.models import BODY, ModelFile, read_model

_ACTIVATIONS = {"none": lambda x: x, "relu": F.relu, "relu6": F.relu6}
_EXACT = 1e-3  # of a layer's largest output
_CONVOLUTIONS = {"CONV_2D": False, "DEPTHWISE_CONV_2D": True}


@dataclass(frozen=True)
class _Layer:
    """One operation of the file. Numbers name tensors of the file."""

    kind: str  # pad, convolve or add
    inputs: tuple[int, ...]
    output: int
    pads: tuple[int, ...] = (0, 0, 0, 0)  # left, right, top, bottom
    stride: int = 1
    groups: int = 1
    activation: str = "none"


class PoseTaps(FeatureTaps):
    """The five maps lie at H/2 (the first and the last of them), H/4, H/8 and H/16."""

    def __init__(self, model: ModelFile = BODY):
        """WeightsError for a file that is none of a convolutional backbone, and as read_model;
        MissingExtraError."""
        super().__init__()
        run = _one_run(read_model(model))
        self._input, values = run.input, run.values
        self._layers = list(self._read(run))
        side = values[run.input].shape[1]
        found: dict[int, list[int]] = {}
        for layer in self._layers:
            if layer.kind != "pad":
                found.setdefault(side // values[layer.output].shape[1], []).append(layer.output)
        if not {2, 4, 8, 16} <= found.keys():
            raise WeightsError(f"{model.name} is not a backbone that shrinks by 2, 4, 8 and 16")
        self._taps = (found[2][0], *(found[shrink][-1] for shrink in (2, 4, 8, 16)))
        last = next(i for i, one in enumerate(self._layers) if one.output == self._taps[-1])
        self._layers = self._layers[: last + 1]
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        values = {self._input: (images + 1) / 2}
        for layer in self._layers:
            x = values[layer.inputs[0]]
            if any(layer.pads):
                x = F.pad(x, layer.pads)
            if layer.kind == "convolve":
                weight, bias = (
                    self.get_buffer(f"w{layer.output}"),
                    self.get_buffer(f"b{layer.output}"),
                )
                x = F.conv2d(x, weight, bias, layer.stride, groups=layer.groups)
            elif layer.kind == "add":
                x = x + values[layer.inputs[1]]
            values[layer.output] = _ACTIVATIONS[layer.activation](x)
        return tuple(values[tap] for tap in self._taps)

    def _read(self, run: "_Run"):
        """The layers from the input on, up to the first that is none of a backbone's."""
        known = {run.input}
        for name, inputs, output in run.operations:
            if inputs[0] not in known:  # of constants: their values are there
                continue
            if name == "PAD":
                pads = run.values[inputs[1]][[2, 2, 1, 1], [0, 1, 0, 1]]
                layer = _Layer("pad", inputs[:1], output, tuple(int(pad) for pad in pads))
            elif name in _CONVOLUTIONS:
                layer = self._convolution(run, inputs, output, depthwise=_CONVOLUTIONS[name])
            elif name == "ADD" and inputs[1] in known:
                summed = torch.from_numpy(run.values[inputs[0]] + run.values[inputs[1]])
                made = torch.from_numpy(run.values[output])
                layer = _Layer("add", inputs, output, activation=_activation(summed, made))
            else:
                return
            known.add(output)
            yield layer

    def _convolution(
        self, run: "_Run", inputs: tuple[int, ...], output: int, *, depthwise: bool
    ) -> _Layer:
        """What the file says of strides, padding and activation, LiteRT does not tell: sizes say
        the first two, the run's own numbers the third."""
        weight = torch.from_numpy(run.values[inputs[1]].astype(np.float32))
        weight = weight.permute(3, 0, 1, 2) if depthwise else weight.permute(0, 3, 1, 2)
        bias = torch.from_numpy(run.values[inputs[2]].astype(np.float32))
        given, made = (
            torch.from_numpy(run.values[which]).permute(0, 3, 1, 2) for which in (inputs[0], output)
        )
        side, kernel, stride = (
            given.shape[2],
            weight.shape[2],
            round(given.shape[2] / made.shape[2]),
        )
        lacking = max((made.shape[2] - 1) * stride + kernel - side, 0)
        pads = (lacking // 2, lacking - lacking // 2) * 2
        groups = given.shape[1] if depthwise else 1
        linear = F.conv2d(F.pad(given, pads), weight, bias, stride, groups=groups)
        self.register_buffer(f"w{output}", weight.contiguous(), persistent=False)
        self.register_buffer(f"b{output}", bias, persistent=False)
        activation = _activation(linear, made)
        return _Layer("convolve", inputs[:1], output, pads, stride, groups, activation)


@dataclass(frozen=True)
class _Run:
    """A file's operations, and every number of one run of it."""

    input: int
    operations: list[tuple[str, tuple[int, ...], int]]
    values: Mapping[int, np.ndarray]


def _one_run(content: bytes) -> _Run:
    """Of a drawn picture, the same always."""
    try:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType
    except ImportError as error:
        raise MissingExtraError("ai-edge-litert", None, "perceptual features") from error
    with silent_stderr():
        # Its fast kernels keep no numbers of what lies between.
        interpreter: Any = Interpreter(
            model_content=content,
            num_threads=1,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
    first = interpreter.get_input_details()[0]
    picture = np.random.default_rng(0).random(first["shape"], np.float32)
    interpreter.set_tensor(first["index"], picture)
    interpreter.invoke()
    operations = [
        (
            one["op_name"],
            tuple(int(index) for index in one["inputs"] if index >= 0),
            int(one["outputs"][0]),
        )
        for one in interpreter._get_ops_details()  # not public, and there is no other
    ]
    used = {index for _, inputs, output in operations for index in (*inputs, output)}
    return _Run(int(first["index"]), operations, {i: _value(interpreter, i) for i in used})


def _value(interpreter: Any, index: int) -> np.ndarray:
    try:
        return interpreter.get_tensor(index)
    except ValueError:  # a constant that is packed; what is made of it is there
        return np.empty(0, np.float32)


def _activation(linear: Tensor, made: Tensor) -> str:
    off = {
        name: float((function(linear) - made).abs().max())
        for name, function in _ACTIVATIONS.items()
    }
    best = min(off, key=lambda name: off[name])
    if off[best] > _EXACT * max(1.0, float(made.abs().max())):
        raise WeightsError("the network that finds bodies has a layer that this cannot read")
    return best
