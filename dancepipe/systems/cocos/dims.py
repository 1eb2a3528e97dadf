"""How wide the two networks are."""

from dataclasses import dataclass
from typing import ClassVar

from dancepipe.systems.dims_fields import check_width
from dancepipe.systems.single.dims import PoseName, SingleDims


@dataclass(frozen=True)
class CocosDims(SingleDims):
    system: ClassVar[str] = "cocos"
    size_step: ClassVar[int] = 32
    signs_pose: ClassVar[bool] = False

    pose: PoseName = "JL"  # distances survive being shrunk to H/32; thin limbs do not
    h: int = 128  # hidden channels of the modulations

    def __post_init__(self):
        super().__post_init__()
        check_width("nf", self.nf, 2)  # attention reads an eighth of 4 nf channels
        check_width("h", self.h, 1)
