"""How wide the network is."""

from dataclasses import dataclass
from typing import ClassVar

from dancepipe.systems.dims_fields import check_width
from dancepipe.systems.single.dims import PoseName, SingleDims


@dataclass(frozen=True)
class GuidedDims(SingleDims):
    system: ClassVar[str] = "guided"
    size_step: ClassVar[int] = 8
    signs_pose: ClassVar[bool] = True

    pose: PoseName = "S"
    d: int = 100  # hidden channels of the feature transformations
    blocks: int = 9  # residual

    def __post_init__(self):
        super().__post_init__()
        check_width("d", self.d, 1)
        check_width("blocks", self.blocks, 1)
