"""What the house knows of this system before it is opened."""

from pathlib import Path

from dancepipe.systems.focus_retain.dims import ModelDims
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.focus_retain.renderer import FocusRetain
from dancepipe.systems.system import SystemEntry


def _open(weights: Path | None, device: str, precision: str) -> FocusRetain:
    assert weights is not None  # open.py asks for them
    return FocusRetain(load_networks(weights), device, precision)


ENTRY = SystemEntry(ModelDims.system, open=_open, read_dims=ModelDims.from_json, stages=(1, 2))
