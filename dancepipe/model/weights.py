"""Weight files: safetensors, with what they are in the header. Nothing is ever unpickled.

Tensors are named NETWORK.parameter ("flow_attention.picture.bias"). A file is
written whole or not at all, and loaded only after everything in it was checked.
"""

import json
import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn

import dancepipe
from dancepipe.errors import ConfigError, OutputError, WeightsError
from dancepipe.model.dims import ModelDims

FORMAT = "weights-1"
HEADER_KEY = "dancepipe"


@dataclass(frozen=True)
class WeightsInfo:
    """What a weight file says about itself."""

    dims: ModelDims  # preset included
    stage: int  # 1: flow attention network; 2: enhancer too
    step: int  # of that stage
    version: str = dancepipe.__version__  # of the dancepipe that wrote it


def save_weights(path: Path | str, info: WeightsInfo, networks: Mapping[str, nn.Module]) -> None:
    """Writes the networks under their names ("flow_attention", "enhancer"). OutputError when the file cannot be written."""
    tensors = {f"{name}.{key}": tensor for name, network in networks.items() for key, tensor in network.state_dict().items()}
    record = {"format": FORMAT, "dims": info.dims.as_json(), "stage": info.stage, "step": info.step, "version": info.version}
    # One key: safetensors writes several in any order, and equal weights should be equal files.
    write_tensors(path, tensors, {HEADER_KEY: json.dumps(record)})


def read_weights_info(path: Path | str) -> WeightsInfo:
    """Reads the header only. WeightsError when there is none, or another program's."""
    with _opened(Path(path)) as file:
        return _info(path, file.metadata() or {})


def load_weights(path: Path | str, networks: Mapping[str, nn.Module], dims: ModelDims) -> WeightsInfo:
    """Fills the networks from the file, all of them or, on WeightsError, none.

    The file must be of these dims and hold exactly the tensors of each network asked for; networks not asked for may be there too.
    """
    tensors, metadata = read_tensors(path)
    info = _info(path, metadata)
    if info.dims != dims:
        raise WeightsError(f"{path} is of other dims: {differences(info.dims, dims)}; name the preset it was trained with")
    states = {}
    for name, network in networks.items():
        states[name] = {key.removeprefix(f"{name}."): tensor for key, tensor in tensors.items() if key.startswith(f"{name}.")}
        _check(path, name, states[name], network.state_dict(), info.stage)
    for name, network in networks.items():
        network.load_state_dict(states[name])
    return info


def write_tensors(path: Path | str, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """A safetensors file, whole or absent. OutputError when it cannot be written."""
    from safetensors.torch import save

    path = Path(path)
    part = path.with_name(path.name + ".part")
    data = save({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, dict(metadata))
    try:
        with open(part, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException as error:
        with suppress(OSError):
            part.unlink()
        if isinstance(error, OSError):
            raise OutputError(f"cannot write weights {path}: {error.strerror or error}; need a writable folder with room") from error
        raise


def read_tensors(path: Path | str) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors (on the CPU) and the header's metadata of a safetensors file. WeightsError when it is not whole."""
    with _opened(Path(path)) as file:
        return {name: file.get_tensor(name) for name in file.keys()}, dict(file.metadata() or {})


def _opened(path: Path):
    from safetensors import SafetensorError, safe_open

    if not path.is_file():
        raise WeightsError(f"no weights at {path}; need a .safetensors file written by dancepipe train")
    try:
        return safe_open(path, framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        what = "is not whole" if "not fully covered" in str(error) else "is no safetensors file, or only the start of one"
        raise WeightsError(f"{path} {what} ({error}); copy it anew or train again") from error


def _info(path: Path | str, metadata: Mapping[str, str]) -> WeightsInfo:
    if HEADER_KEY not in metadata:
        raise WeightsError(f"{path} is not a dancepipe weight file; need a .safetensors file written by dancepipe train")
    try:
        record = json.loads(metadata[HEADER_KEY])
        if record["format"] != FORMAT:
            raise ValueError(f"format {record['format']!r}, need {FORMAT!r}")
        return WeightsInfo(ModelDims.from_json(record["dims"]), int(record["stage"]), int(record["step"]), str(record["version"]))
    except (KeyError, TypeError, ValueError, ConfigError) as error:
        raise WeightsError(f"{path} has a header this version cannot read ({error}); it needs the dancepipe that wrote it") from error


def differences(got: ModelDims, wanted: ModelDims, among: Collection[str] | None = None) -> str:
    """In words, which fields of the dims differ; among: only of these."""
    pairs = [(key, got.as_json()[key], value) for key, value in wanted.as_json().items() if among is None or key in among]
    return "; ".join(f"{key} {has}, wanted {wants}" for key, has, wants in pairs if has != wants)


def _check(path: Path | str, name: str, state: Mapping[str, Tensor], wanted: Mapping[str, Tensor], stage: int) -> None:
    if not state:
        raise WeightsError(f"{path} holds no {name}: it is of stage {stage}; need weights that hold it")
    for problem, keys in (("lacks", wanted.keys() - state.keys()), ("has unexpected", state.keys() - wanted.keys())):
        if keys:
            raise WeightsError(f"{path} {problem} {len(keys)} tensors of {name}, first {sorted(keys)[0]}; copy it anew or train again")
    for key, tensor in state.items():
        if tensor.shape != wanted[key].shape:
            raise WeightsError(f"{path}: {name}.{key} has shape {tuple(tensor.shape)}, need {tuple(wanted[key].shape)}")
        if not torch.isfinite(tensor).all():
            raise WeightsError(f"{path}: {name}.{key} has values that are not finite; use an earlier file")
