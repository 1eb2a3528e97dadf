"""The body in three dimensions as a system: the fastest way to a result, with nothing learnt.

It reads landmarks with depth; without them there is nothing to pose.
"""

import numpy as np
import torch
from torch import Tensor

from dancepipe.body.person import BodyPerson, PoseWithDepth, make_ready
from dancepipe.pose.batch import PoseBatch
from dancepipe.systems.system import (
    Drawn,
    SystemEntry,
    SystemInfo,
    check_references,
    check_targets,
)


class BodySystem:
    """A JoiningSystem (system.py). It works on the CPU, whatever the device."""

    def __init__(self, device: str = "cpu"):
        remark = None if device == "cpu" else f"drawn on the CPU, not on {device}"
        self.info = SystemInfo("body", None, remark=remark, reads_hands=True, joins_photos=True)
        make_ready()

    def encode(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> list[BodyPerson]:
        check_references(images, masks, poses)
        each = PoseWithDepth.each_of(poses)
        return [BodyPerson.of(*one) for one in zip(images.cpu().numpy(), masks.cpu().numpy(), each)]

    def encode_together(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> list[BodyPerson]:
        first, *others = self.encode(images, masks, poses)
        return [first.with_others(others) if others else first]

    def draw(self, state: list[BodyPerson], targets: PoseBatch) -> Drawn:
        check_targets(len(state), targets)
        people = state * len(targets) if len(state) == 1 else state
        drawn = [person.drawn(pose) for person, pose in zip(people, PoseWithDepth.each_of(targets))]
        return Drawn(
            torch.from_numpy(np.stack([one.on_grey() for one in drawn])),
            torch.from_numpy(np.stack([one.matte() for one in drawn])),
        )


ENTRY = SystemEntry("body", open=lambda weights, device, precision: BodySystem(device))
