"""Target poses -> pictures of the reference in those poses, in batches; the reference is encoded
once."""

from collections.abc import Sequence
from typing import cast

import numpy as np
import torch

from dancepipe.pose.batch import PoseBatch
from dancepipe.records import BodyPose, Pose
from dancepipe.rendering.reference import Reference
from dancepipe.systems.system import JoiningSystem, System


class Renderer:
    """Renders one person with any system."""

    def __init__(self, system: System, references: Sequence[Reference]):
        """references: of one person; more than one for systems that join photos."""
        self._system = system
        images, masks = (
            torch.from_numpy(np.stack(each))
            for each in zip(*((one.image, one.mask) for one in references))
        )
        poses = PoseBatch.of([one.body for one in references])
        if len(references) > 1:
            assert system.info.joins_photos
            self._state = cast(JoiningSystem, system).encode_together(images, masks, poses)
        else:
            self._state = system.encode(images, masks, poses)

    def render(self, bodies: Sequence[Pose | BodyPose]) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 RGB (B, S, S, 3) on grey, uint8 matte (B, S, S)) for B poses in canvas pixels."""
        drawn = self._system.draw(self._state, PoseBatch.of(bodies))
        return drawn.pictures.numpy(), drawn.mattes.numpy()
