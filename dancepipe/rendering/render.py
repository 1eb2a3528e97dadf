"""Target poses -> pictures of the reference in those poses, in batches; the reference is encoded
once."""

from collections.abc import Sequence

import numpy as np
import torch

from dancepipe.pose.batch import PoseBatch
from dancepipe.records import BodyPose, Pose
from dancepipe.rendering.reference import Reference
from dancepipe.systems.system import System


class Renderer:
    """Renders one reference with any system."""

    def __init__(self, system: System, reference: Reference):
        self._system = system
        image, mask = (
            torch.from_numpy(np.array(one)[None]) for one in (reference.image, reference.mask)
        )
        self._state = system.encode(image, mask, PoseBatch.of([reference.body]))

    def render(self, bodies: Sequence[Pose | BodyPose]) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 RGB (B, S, S, 3) on grey, uint8 matte (B, S, S)) for B poses in canvas pixels."""
        drawn = self._system.draw(self._state, PoseBatch.of(bodies))
        return drawn.pictures.numpy(), drawn.mattes.numpy()
