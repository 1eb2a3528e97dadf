"""A system, opened: ready to encode and draw."""

import os
from pathlib import Path

from dancepipe.errors import ConfigError
from dancepipe.runtime.choice import pick_runtime
from dancepipe.systems.names import SYSTEMS, system_of
from dancepipe.systems.shipped import find_weights
from dancepipe.systems.system import System, SystemEntry
from dancepipe.systems.weights import read_weights_info


def open_system(weights: Path | str, device: str, precision: str = "fp32") -> System:
    """The system that a weight file names, with its weights. WeightsError."""
    return _entry_of(weights).open(Path(weights), device, precision)


def open_named(
    wanted: Path | str, device: str, precision: str = "fp32", runtime: str = "torch"
) -> System:
    """A weight file, or the name of a system that learns nothing; a file wins over a name.

    runtime: who runs its networks, "auto" for the fastest; said where there are any. Raises
    WeightsError, and what pick_runtime raises.
    """
    if _is_unlearnt(wanted):
        return open_unlearnt(str(wanted), device)
    entry = _entry_of(wanted)
    if entry.open_on is None:
        return entry.open(Path(wanted), device, precision)
    runtime = pick_runtime(runtime, device, precision)
    if runtime == "torch":
        return entry.open(Path(wanted), device, precision)
    import torch

    return entry.open_on(Path(wanted), runtime, torch.get_num_threads())


def export_named(wanted: Path | str, out: Path, *, overwrite: bool) -> dict[str, Path]:
    """The networks of a weight file, or of shipped weights, as ONNX files in the folder `out`; by
    their names. Raises WeightsError, OutputError, and ConfigError for what has no networks."""
    entry = None if _is_unlearnt(wanted) else _entry_of(find_weights(wanted))
    if entry is None or entry.export is None:
        raise ConfigError(f"{wanted} has no networks that can be exported; name a weight file")
    return entry.export(find_weights(wanted), out, overwrite)


def _is_unlearnt(wanted: Path | str) -> bool:
    is_name = not os.path.isfile(wanted) and str(wanted) in SYSTEMS
    return is_name and not system_of(str(wanted)).learns


def _entry_of(weights: Path | str) -> SystemEntry:
    return system_of(read_weights_info(weights).system)


def open_unlearnt(name: str, device: str) -> System:
    """A system that needs no weights. ConfigError for an unknown name, or one that does."""
    entry = system_of(name)
    if entry.learns:
        raise ConfigError(f"the system {name} needs weights; name a weight file of it")
    return entry.open(None, device, "fp32")
