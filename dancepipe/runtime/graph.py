"""A network as an ONNX graph of fixed shapes, and as a plain call by one of the runtimes."""

import io
import threading
import warnings
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, cast

import numpy as np
import torch
from torch import Tensor, nn

Arrays = Mapping[str, np.ndarray]

OPSET = 17
_EXPORTING = threading.Lock()  # torch exports one at a time


class Graph(Protocol):
    """Opened. Each run works with one thread, and several may go on at once: two frames side by
    side take less time than one shared out, and the numbers depend on nothing."""

    def run(self, inputs: Arrays) -> dict[str, np.ndarray]:
        """float32 arrays by name, of the shapes that the graph was made for. Inputs that it does
        not read may be there too. What it gives is the caller's."""
        ...


@torch.no_grad()
def as_onnx(module: nn.Module, inputs: Mapping[str, Tensor], outputs: Sequence[str]) -> bytes:
    """The ONNX file of module(*inputs) -> outputs, by these names; shapes are those of the inputs.
    An input that the module does not read is left out."""
    content = io.BytesIO()
    module.eval()
    # By tracing: the newer exporter needs onnxscript, and takes ten times as long.
    with _EXPORTING, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module,
            tuple(inputs.values()),
            cast(Any, content),  # a file that is open will do
            input_names=list(inputs),
            output_names=list(outputs),
            opset_version=OPSET,
            dynamo=False,
        )
    return content.getvalue()


def open_graph(runtime: str, content: bytes, at_once: int = 1) -> Graph:
    """content: of an ONNX file. runtime: "onnx" or "openvino". at_once: how many runs may go on
    at a time; more of them wait. MissingExtraError."""
    if runtime == "onnx":
        from dancepipe.runtime.onnx_graph import OnnxGraph

        return OnnxGraph(content)
    from dancepipe.runtime.openvino_graph import OpenVinoGraph

    return OpenVinoGraph(content, at_once)
