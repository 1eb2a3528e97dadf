"""How these systems are trained, apart from what is each one's own."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from torch import nn

from dancepipe.errors import ConfigError
from dancepipe.losses.taps import Layers
from dancepipe.systems.single.dims import SingleDims
from dancepipe.systems.single.network import SingleNetwork, load_network
from dancepipe.systems.single.stage import Teaching, one_stage
from dancepipe.systems.training import Training
from dancepipe.systems.weights import differences

# Options of train that focus_retain alone reads.
UNREAD = (
    "preset", "attention_module", "attention", "keep", "enlarge", "stage0_steps", "stage2_steps",
    "learning_rate", "discriminator_rate", "beta1", "correctness", "weights",
)  # fmt: skip


def single_training(
    dims: type[SingleDims],
    dims_of: Callable[[Any, Any], SingleDims],
    make: Callable[[Any], SingleNetwork],
    teach: Callable[[Any, Any], Teaching],
    layers: Layers | None,
    reads_flow: Callable[[Any], bool] = lambda recipe: False,
) -> Training:
    """dims_of, teach: of a recipe as in Training and stage.py. layers: those of the perceptual
    network that its terms read; None: it has none. reads_flow: as in Training."""

    def networks(wanted: Any, recipe: Any) -> dict[str, nn.Module]:
        teaching = teach(wanted, recipe)
        judges = {f"discriminator {name}": one.network for name, one in teaching.judges.items()}
        return {"generator": teaching.network, **judges}

    def load(path: Path):
        return load_network(path, dims.system, make)

    return Training(
        dims=dims_of,
        load=load,
        check_same=_check_same,
        pair_sizes_hw=lambda wanted: {1: wanted.size_hw},
        stages=one_stage(teach),
        networks=networks,
        unread=UNREAD if layers else (*UNREAD, "perceptual"),
        layers=layers,
        reads_flow=reads_flow,
    )


def _check_same(init: str, given: SingleDims, wanted: SingleDims) -> None:
    among = wanted.as_json().keys() - {"size_hw"}
    if differing := differences(given, wanted, among):
        raise ConfigError(
            f"{init} holds another network: {differing}; choose the same, or other weights"
        )
