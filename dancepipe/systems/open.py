"""A system, opened: ready to encode and draw."""

import os
from pathlib import Path

from dancepipe.errors import ConfigError
from dancepipe.systems.names import SYSTEMS, system_of
from dancepipe.systems.system import System
from dancepipe.systems.weights import read_weights_info


def open_system(weights: Path | str, device: str, precision: str = "fp32") -> System:
    """The system that a weight file names, with its weights. WeightsError."""
    return system_of(read_weights_info(weights).system).open(Path(weights), device, precision)


def open_named(wanted: Path | str, device: str, precision: str = "fp32") -> System:
    """A weight file, or the name of a system that learns nothing; a file wins over a name.
    WeightsError."""
    if not os.path.exists(wanted) and str(wanted) in SYSTEMS and not system_of(str(wanted)).learns:
        return open_unlearnt(str(wanted), device)
    return open_system(wanted, device, precision)


def open_unlearnt(name: str, device: str) -> System:
    """A system that needs no weights. ConfigError for an unknown name, or one that does."""
    entry = system_of(name)
    if entry.learns:
        raise ConfigError(f"the system {name} needs weights; name a weight file of it")
    return entry.open(None, device, "fp32")
