"""What a system shows the training loop: its stages, one after the other.

A system has its own networks, terms and maps; the loop (training/loop.py) gives pairs and keeps
what comes of them: the log, sample grids, checkpoints. To add a system that learns, copy
focus_retain/stages.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from dancepipe.losses.flow import ExactFlow
from dancepipe.pose.batch import PoseBatch
from dancepipe.systems.system import Dims


@dataclass(frozen=True, eq=False)
class NetworkPair:
    """Reference (r) and target (t) of a batch, on the device: pictures I in [-1, 1] on grey, mattes
    and joints. What else a system reads it draws from them."""

    I_r: Tensor  # (B, 3, H, W)
    I_t: Tensor
    matte_r: Tensor  # (B, 1, H, W) in [0, 1]
    matte_t: Tensor
    joints_r: Tensor  # (B, 18, 3) px
    joints_t: Tensor
    # The same on the CPU: joint maps drawn from those wait for no device.
    joints_r_cpu: Tensor
    joints_t_cpu: Tensor
    exact: ExactFlow | None = None  # of data that know it
    # (B, 33, 4) and (B, 2, 21, 4) as in PoseBatch, on the CPU; of data that know them
    landmarks_r: Tensor | None = None
    landmarks_t: Tensor | None = None
    hands_r: Tensor | None = None
    hands_t: Tensor | None = None

    @property
    def size_hw(self) -> tuple[int, int]:
        return self.I_t.shape[2], self.I_t.shape[3]

    @property
    def poses_r(self) -> PoseBatch:
        """The joints on the device, the rest on the CPU."""
        return PoseBatch(self.joints_r, self.landmarks_r, self.hands_r)

    @property
    def poses_t(self) -> PoseBatch:
        return PoseBatch(self.joints_t, self.landmarks_t, self.hands_t)


@dataclass(frozen=True, eq=False)
class Shown:
    """What the averaged weights make of a pair."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1]
    matte_logits: Tensor  # (B, 1, H, W)
    # title -> (B, 3, H, W) in [-1, 1]: what else one wants to see of it, from left to right
    columns: Mapping[str, Tensor]


class Stage(Protocol):
    """A phase of a system's training: what it trains, and one step of it."""

    number: int  # from 0; in file names and logs
    steps: int  # how many there are
    size_hw: tuple[int, int]  # of the pairs
    draws_people: bool  # whether poses can be read in what it shows
    modules: dict[str, nn.Module]  # everything that a checkpoint holds
    optimisers: dict[str, torch.optim.Adam]  # each under its module's name
    renders: dict[str, nn.Module]  # what weight files hold

    @property
    def dims(self) -> Dims: ...

    def step(
        self, parts: Sequence[NetworkPair], number: int, *, with_statistics: bool
    ) -> dict[str, Tensor]:
        """Step `number` (from 0) on a batch in parts of one size. Gives the named terms, and
        "total"; with_statistics: also what tells how the networks are."""
        ...

    def show(self, pair: NetworkPair) -> Shown: ...

    def remarks(self, step: int, figures: Mapping[str, float]) -> list[str]:
        """What a user should hear of a logged step's figures, each once."""
        ...
