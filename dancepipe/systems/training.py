"""How a system that learns is trained: what its entry tells training/train.py. To add one, copy
focus_retain/training.py."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from dancepipe.losses.taps import FeatureTaps, Layers
from dancepipe.processes import Processes
from dancepipe.systems.stage import Stage
from dancepipe.systems.system import Dims
from dancepipe.systems.weights import WeightsInfo


class Trained(Protocol):
    """The networks of a weight file, to start from."""

    @property
    def dims(self) -> Any: ...
    @property
    def info(self) -> WeightsInfo: ...


@dataclass(frozen=True)
class Training:
    """Each of these is the system's own. A recipe is what it reads of the options of train."""

    # of a recipe, and of the dims of the weights to start from: what the recipe leaves open is as
    # there. ConfigError for a size that no network takes.
    dims: Callable[[Any, Any], Dims]
    # WeightsError for a file that is not whole, or another system's
    load: Callable[[Path], Trained]
    # of the name of weights to start from, their dims, and those wanted: ConfigError when they are
    # of other networks
    check_same: Callable[[str, Any, Any], None]
    # of the pairs of each stage, (height, width) by its number; 0 has those of 1
    pair_sizes_hw: Callable[[Any], Mapping[int, tuple[int, int]]]
    # of dims, recipe, perceptual network, processes, and the weights to start from: one after the
    # other, each begins with what the one before has learnt until it is asked for
    stages: Callable[[Any, Any, FeatureTaps | None, Processes, Any], Iterator[Stage]]
    # by their names for people, as a recipe wants them; not filled on the meta device
    networks: Callable[[Any, Any], dict[str, nn.Module]]
    unread: tuple[str, ...] = ()  # options of train that it does not read; others' blocks aside
    layers: Layers | None = "first"  # of the perceptual network; None: no term reads one
    # of a recipe: whether its terms read the exact flow of data that know it
    reads_flow: Callable[[Any], bool] = lambda recipe: False
