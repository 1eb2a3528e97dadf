"""What the house knows of this system before it is opened."""

from pathlib import Path
from typing import TYPE_CHECKING

from dancepipe.systems.focus_retain.dims import ModelDims
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.focus_retain.renderer import FocusRetain
from dancepipe.systems.system import SystemEntry

if TYPE_CHECKING:
    from dancepipe.systems.focus_retain.on_runtime import FocusRetainOn
    from dancepipe.systems.training import Training


def _open(weights: Path | None, device: str, precision: str) -> FocusRetain:
    assert weights is not None  # open.py asks for them
    return FocusRetain(load_networks(weights), device, precision)


def _open_on(weights: Path, runtime: str, at_once: int) -> "FocusRetainOn":
    from dancepipe.systems.focus_retain.on_runtime import FocusRetainOn

    return FocusRetainOn(load_networks(weights), runtime, at_once)


def _export(weights: Path, out: Path, overwrite: bool) -> dict[str, Path]:
    from dancepipe.systems.focus_retain.export import export

    return export(weights, out, overwrite=overwrite)


def _training() -> "Training":
    from dancepipe.systems.focus_retain.training import TRAINING

    return TRAINING


ENTRY = SystemEntry(
    ModelDims.system,
    open=_open,
    open_on=_open_on,
    export=_export,
    read_dims=ModelDims.from_json,
    stages=(1, 2),
    training=_training,
)
