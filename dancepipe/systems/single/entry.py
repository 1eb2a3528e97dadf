"""What the house knows of these systems before they are opened."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dancepipe.systems.single.dims import SingleDims
from dancepipe.systems.single.network import SingleNetwork, load_network
from dancepipe.systems.single.renderer import SingleSystem
from dancepipe.systems.system import SystemEntry

if TYPE_CHECKING:
    from dancepipe.systems.training import Training


def single_entry(
    dims: type[SingleDims],
    make: Callable[[Any], SingleNetwork],
    training: Callable[[], "Training"],
) -> SystemEntry:
    """make: the network of dims."""

    def opened(weights: Path | None, device: str, precision: str) -> SingleSystem:
        assert weights is not None  # open.py asks for them
        return SingleSystem(load_network(weights, dims.system, make), device, precision)

    return SystemEntry(
        dims.system, open=opened, read_dims=dims.from_json, stages=(1,), training=training
    )
