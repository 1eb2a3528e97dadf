"""Weight files: safetensors, with what they are in the header. Nothing is ever unpickled.

The header names the system; its dims are a record that the system reads and checks.
Tensors are named NETWORK.parameter ("flow_attention.picture.bias"). A file is
written whole or not at all, and loaded only after everything in it was checked.
"""

import json
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import dancepipe
from dancepipe.errors import ConfigError, WeightsError
from dancepipe.files.plain_text import parse_json, plain_words, shortened
from dancepipe.files.whole_file import write_bytes
from dancepipe.systems.names import system_of
from dancepipe.systems.system import Dims

FORMAT = "weights-1"
HEADER_KEY = "dancepipe"
_FIRST_SYSTEM = "focus_retain"  # the system of files that name none
_MOST_HEADER_BYTES = 4 << 20  # ours take 50 kB; safetensors itself would read 100 MB


@dataclass(frozen=True)
class WeightsInfo:
    """What a weight file says about itself."""

    dims: Dims  # system, preset and size included
    stage: int  # of those of the system: the last one that was trained
    step: int  # of that stage
    version: str = dancepipe.__version__  # of the dancepipe that wrote it

    @property
    def system(self) -> str:
        return self.dims.system


def save_weights(path: Path | str, info: WeightsInfo, networks: Mapping[str, nn.Module]) -> None:
    """Writes the networks under their names ("flow_attention", "enhancer"). OutputError when the
    file cannot be written."""
    tensors = {
        f"{name}.{key}": tensor
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    record = {
        "format": FORMAT,
        "system": info.system,
        "dims": info.dims.as_json(),
        "stage": info.stage,
        "step": info.step,
        "version": info.version,
    }
    # One key: safetensors writes several in any order, and equal weights should be equal files.
    write_tensors(path, tensors, {HEADER_KEY: json.dumps(record)})


def read_weights_info(path: Path | str) -> WeightsInfo:
    """Reads the header only. WeightsError when there is none, or another program's."""
    with _opened(Path(path)) as file:
        return _info(path, file.metadata() or {})


def check_weights(path: Path | str, networks: Mapping[str, nn.Module]) -> WeightsInfo:
    """Looks whether the tensors of each network are there, by the header alone. WeightsError.

    networks: of the dims of the file; they may be on the meta device, which costs no memory.
    """
    path = Path(path)
    with _opened(path) as file:
        info = _info(path, file.metadata() or {})
        for name, network in networks.items():
            _check_header(path, file, name, network.state_dict(), info.stage)
    return info


def load_weights(path: Path | str, networks: Mapping[str, nn.Module], dims: Dims) -> WeightsInfo:
    """Fills the networks from the file, all of them or, on WeightsError, none.

    The file must be of these dims and hold exactly the tensors of each network asked for; networks
    not asked for may be there too.
    """
    path = Path(path)
    with _opened(path) as file:
        info = _info(path, file.metadata() or {})
        check_system(path, info, dims.system)
        if info.dims != dims:
            raise WeightsError(
                f"{path} is of other dims: {differences(info.dims, dims)}; "
                "name the preset it was trained with"
            )
        for name, network in networks.items():
            _check_header(path, file, name, network.state_dict(), info.stage)
        states = {
            name: {key: _tensor(path, file, f"{name}.{key}") for key in network.state_dict()}
            for name, network in networks.items()
        }
    for name, state in states.items():
        for key, tensor in state.items():
            if not torch.isfinite(tensor).all():
                raise WeightsError(
                    f"{path}: {name}.{key} has values that are not finite; use an earlier file"
                )
    for name, network in networks.items():
        network.load_state_dict(states[name])
    return info


def check_system(path: Path | str, info: WeightsInfo, wanted: str) -> None:
    """WeightsError when the weights are of another system."""
    if info.system != wanted:
        raise WeightsError(
            f"{path} holds weights of the system {info.system}; need those of {wanted}"
        )


def write_tensors(
    path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]
) -> None:
    """A safetensors file, whole or absent. OutputError when it cannot be written."""
    from safetensors.torch import save

    data = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    write_bytes(path, save(data, dict(metadata)))


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors (on the CPU) and the header's metadata of a safetensors file. WeightsError
    when it is not whole."""
    path = Path(path)
    with _opened(path) as file:
        return {name: _tensor(path, file, name) for name in file.keys()}, file.metadata() or {}


def _opened(path: Path):
    from safetensors import SafetensorError, safe_open

    try:
        if not os.path.isfile(path):
            raise WeightsError(
                f"no weights at {path}; need a .safetensors file written by dancepipe train"
            )
        with open(path, "rb") as file:
            header_bytes = int.from_bytes(file.read(8), "little")
        if header_bytes > _MOST_HEADER_BYTES:
            raise SafetensorError(f"a header of {header_bytes} bytes")
        return safe_open(path, framework="pt", device="cpu")
    except OSError as error:
        raise WeightsError(
            f"cannot read weights {path}: {error.strerror or plain_words(error)}; "
            "name a file that you may read"
        ) from error
    except SafetensorError as error:
        what = (
            "is not whole"
            if "not fully covered" in str(error)
            else "is no safetensors file, or only the start of one"
        )
        raise WeightsError(
            f"{path} {what} ({plain_words(error)}); copy it anew or train again"
        ) from error


def _tensor(path: Path, file, name: str) -> Tensor:
    from safetensors import SafetensorError

    try:
        return file.get_tensor(name)
    except (SafetensorError, AttributeError, TypeError, ValueError) as error:
        raise WeightsError(
            f"{path}: {shortened(name)} cannot be read ({plain_words(error)}); "
            "copy it anew or train again"
        ) from error


def _info(path: Path | str, metadata: Mapping[str, str]) -> WeightsInfo:
    if HEADER_KEY not in metadata:
        raise WeightsError(
            f"{path} is not a dancepipe weight file; need a .safetensors file written by "
            "dancepipe train"
        )
    try:
        record = parse_json(metadata[HEADER_KEY])
        if not isinstance(record, dict):
            raise ValueError(f"{shortened(record)} in place of its record")
        if record.get("format") != FORMAT:
            raise ValueError(f"format {shortened(record.get('format'))}, need {FORMAT!r}")
        if "dims" not in record:
            raise ValueError("it has no dims")
        entry = system_of(record.get("system", _FIRST_SYSTEM))
        if entry.read_dims is None:
            raise ValueError(f"system {entry.name}, which learns nothing")
        stage, step, version = (record.get(name) for name in ("stage", "step", "version"))
        if type(stage) is not int or stage not in entry.stages:
            stages = " or ".join(map(str, entry.stages))
            raise ValueError(f"stage {shortened(stage)}, need {stages}")
        if type(step) is not int or not 0 <= step < 2**63:
            raise ValueError(f"step {shortened(step)}, need a count of steps")
        if not isinstance(version, str) or not version.isprintable() or len(version) > 80:
            raise ValueError(f"version {shortened(version)}, need that of a dancepipe")
        return WeightsInfo(entry.read_dims(record["dims"]), stage, step, version)
    except (ValueError, ConfigError) as error:
        raise WeightsError(
            f"{path} has a header this version cannot read ({error}); it needs the dancepipe "
            "that wrote it"
        ) from error


def differences(got: Dims, wanted: Dims, among: Collection[str] | None = None) -> str:
    """In words, which fields of the dims of one system differ; among: only of these."""
    pairs = [
        (key, got.as_json()[key], value)
        for key, value in wanted.as_json().items()
        if among is None or key in among
    ]
    return "; ".join(f"{key} {has}, wanted {wants}" for key, has, wants in pairs if has != wants)


def _check_header(path: Path, file, name: str, wanted: Mapping[str, Tensor], stage: int) -> None:
    """Whether the file's header has these tensors of the network, and no others."""
    prefix = f"{name}."
    found = {key.removeprefix(prefix) for key in file.keys() if key.startswith(prefix)}
    if not found:
        raise WeightsError(
            f"{path} holds no {name}: it is of stage {stage}; need weights that hold it"
        )
    lacking, unexpected = wanted.keys() - found, found - wanted.keys()
    for problem, keys in (("lacks", lacking), ("has unexpected", unexpected)):
        if keys:
            raise WeightsError(
                f"{path} {problem} {len(keys)} tensors of {name}, first {shortened(min(keys))}; "
                "copy it anew or train again"
            )
    for key, tensor in wanted.items():
        entry = file.get_slice(prefix + key)
        shape, kind = tuple(entry.get_shape()), str(entry.get_dtype())
        if shape != tuple(tensor.shape):
            raise WeightsError(
                f"{path}: {prefix}{key} has shape {shortened(shape)}, need {tuple(tensor.shape)}"
            )
        if kind != _KINDS[tensor.dtype]:
            raise WeightsError(
                f"{path}: {prefix}{key} is of the type {kind}, need {_KINDS[tensor.dtype]}"
            )


_KINDS = {torch.float32: "F32", torch.int64: "I64"}  # all that our networks keep
