"""How wide and deep the network is."""

from dataclasses import dataclass
from typing import ClassVar

from dancepipe.errors import ConfigError
from dancepipe.systems.dims_fields import check_width
from dancepipe.systems.single.dims import PoseName, SingleDims


@dataclass(frozen=True)
class FewshotDims(SingleDims):
    system: ClassVar[str] = "fewshot"
    size_step: ClassVar[int] = 32
    signs_pose: ClassVar[bool] = True

    pose: PoseName = "J"
    nf: int = 32
    levels: int = 5  # of halving
    generated: int = 4  # of the finest levels, those with generated weights
    flow_blocks: int = 6

    def __post_init__(self):
        super().__post_init__()
        for name, most in (("levels", 5), ("generated", 4), ("flow_blocks", 64)):
            check_width(name, getattr(self, name), 1)
            if getattr(self, name) > most:
                raise ConfigError(f"{name} is {getattr(self, name)}; it is at most {most}")
        if self.levels < 3 or self.generated >= self.levels:
            raise ConfigError(
                f"{self.generated} of {self.levels} levels are generated; need 3 to 5 levels, and "
                "fewer generated ones"
            )

    @property
    def widths(self) -> list[int]:
        """Channels at H / 2^level, and once more those of the last level."""
        widths = [self.nf * 2**level for level in range(self.levels + 1)]
        return [*widths, widths[-1]]
