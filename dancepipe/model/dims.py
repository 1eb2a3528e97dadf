"""How wide the two generators are: frozen records, and the named presets.

Widths of the flow attention network follow GFLA (the paper's baseline); the paper
does not state those of the enhancer.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from dancepipe.errors import ConfigError

Attention = Literal["spatial", "gate"]
EnhancerNorm = Literal["batch", "instance"]
Prior = Literal["none", "limbs"]

SIZE_STEP = 16  # both generators shrink four times by two
ENLARGE = (1, 2)
SMALLEST_SIDE = 32  # below it the innermost maps have one position and nothing to normalise over


def _check_choice(name: str, got: str, allowed: Any) -> None:
    if got not in get_args(allowed):
        raise ConfigError(f"{name} is {got!r}; choose one of {', '.join(get_args(allowed))}")


def _check_width(name: str, width: int, multiple_of: int) -> None:
    if not isinstance(width, int) or width < multiple_of or width % multiple_of:
        raise ConfigError(f"{name} is {width!r}; it must be a positive multiple of {multiple_of}")


@dataclass(frozen=True)
class FlowAttentionDims:
    """Stage 1: the flow attention network (section 3.2)."""

    nf: int = 64  # channels at half size; the appearance and pose encoders reach 4 * nf, the flow network starts at nf / 2
    attention: Attention = "spatial"  # A of eq. 2: softmax over positions with mean 1, or a bounded two-way gate
    attention_module: bool = True  # False: M is read off the flow features alone, as in GFLA (the paper's ablation)
    window_4: int = 5  # side of local attention's window at H/4 (at H/8 it is 3)
    prior: Prior = "none"  # ours: "limbs" starts from the limb warp and copies its pixels through a gate (prior.py)

    def __post_init__(self):
        _check_width("nf", self.nf, 2)
        _check_choice("attention", self.attention, Attention)
        if self.window_4 not in (3, 5):
            raise ConfigError(f"window_4 is {self.window_4!r}; choose 3 or 5")
        _check_choice("prior", self.prior, Prior)


@dataclass(frozen=True)
class EnhancerDims:
    """Stage 2: the enhancer (section 3.3)."""

    n: int = 32  # channels of the last block; the first starts from 16 * n
    h: int = 64  # hidden channels of each modulation
    norm: EnhancerNorm = "batch"  # what is modulated; batch uses running statistics at test, so frames do not flicker
    keep: bool = False  # ours: a gate, open at first, that keeps the coarse picture's own pixels

    def __post_init__(self):
        _check_width("n", self.n, 1)
        _check_width("h", self.h, 1)
        _check_choice("norm", self.norm, EnhancerNorm)


@dataclass(frozen=True)
class ModelDims:
    """Both generators and the size they are trained at; every network is fully convolutional."""

    preset: str
    size_hw: tuple[int, int]
    flow_attention: FlowAttentionDims
    enhancer: EnhancerDims
    enlarge: int = 1  # stage 1 works at size_hw / enlarge; its picture is enlarged, and stage 2 works at size_hw

    def __post_init__(self):
        size_hw = tuple(self.size_hw)
        if self.enlarge not in ENLARGE:
            raise ConfigError(f"enlarge is {self.enlarge!r}; choose one of {', '.join(map(str, ENLARGE))}")
        smallest, step = SMALLEST_SIDE * self.enlarge, SIZE_STEP * self.enlarge
        if len(size_hw) != 2 or any(side < smallest or side % step for side in size_hw):
            raise ConfigError(f"size_hw is {size_hw}; height and width must be multiples of {step}, at least {smallest}")
        object.__setattr__(self, "size_hw", size_hw)

    @property
    def coarse_hw(self) -> tuple[int, int]:
        """Height and width of what stage 1 reads and makes."""
        height, width = self.size_hw
        return height // self.enlarge, width // self.enlarge

    def as_json(self) -> dict:
        """Plain dicts, lists, numbers and strings, as kept in weight files."""
        return {**asdict(self), "size_hw": list(self.size_hw)}

    @staticmethod
    def from_json(record: dict) -> "ModelDims":
        """The inverse of as_json. KeyError, TypeError or ConfigError when the record is another one."""
        return ModelDims(
            preset=record["preset"],
            size_hw=tuple(record["size_hw"]),
            flow_attention=FlowAttentionDims(**record["flow_attention"]),
            enhancer=EnhancerDims(**record["enhancer"]),
            enlarge=record.get("enlarge", 1),  # files from before there was a choice
        )


PRESETS: dict[str, ModelDims] = {
    dims.preset: dims
    for dims in (
        ModelDims("paper", (256, 256), FlowAttentionDims(64), EnhancerDims(64, 128)),
        ModelDims("market", (128, 64), FlowAttentionDims(64, window_4=3), EnhancerDims(64, 128)),
        ModelDims("base", (256, 256), FlowAttentionDims(64, prior="limbs"), EnhancerDims(32, 64, keep=True)),
        ModelDims("live", (256, 256), FlowAttentionDims(16, "gate", prior="limbs"), EnhancerDims(8, 32, keep=True)),
        ModelDims("tiny", (64, 64), FlowAttentionDims(12, prior="limbs"), EnhancerDims(8, 16, keep=True)),
    )
}
