"""The dims of a system of one network: a frozen record, kept in weight files."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from dancepipe.priors.names import CHANNELS, PriorName
from dancepipe.systems.dims_fields import check_choice, check_width, checked_size_hw, fields_of

PoseName = Literal["S", "J", "JS", "JL"]

# How many maps each has: S heat maps, J the coloured limbs, L the distance to each limb.
POSE_CHANNELS: Mapping[str, int] = {"S": 18, "J": 3, "JS": 21, "JL": 20}


@dataclass(frozen=True)
class SingleDims:
    """A subclass sets the three class variables and adds its widths."""

    system: ClassVar[str]
    size_step: ClassVar[int]  # height and width are multiples of it
    signs_pose: ClassVar[bool]  # whether it reads pose maps in [-1, 1], else in [0, 1]

    size_hw: tuple[int, int]
    pose: PoseName  # the maps that it reads of a pose
    prior: PriorName = "none"  # ours: the first guess, read beside them
    nf: int = 64  # channels of the first layer

    def __post_init__(self):
        # At 64 the innermost maps have 2 x 2 positions and more: fewer leave nothing to normalise.
        object.__setattr__(self, "size_hw", checked_size_hw(self.size_hw, 64, self.size_step))
        check_choice("pose", self.pose, PoseName)
        check_choice("prior", self.prior, PriorName)
        check_width("nf", self.nf, 1)

    @property
    def preset(self) -> str:
        return f"nf {self.nf}"

    @property
    def pose_channels(self) -> int:
        return POSE_CHANNELS[self.pose] + CHANNELS[self.prior]

    def as_json(self) -> dict:
        """Plain dicts, lists, numbers and strings, as kept in weight files."""
        return {**asdict(self), "size_hw": list(self.size_hw)}

    @classmethod
    def from_json(cls, record: dict) -> "SingleDims":
        """The inverse of as_json. ConfigError when the record is another one."""
        return cls(**fields_of(cls, record, "dims"))
