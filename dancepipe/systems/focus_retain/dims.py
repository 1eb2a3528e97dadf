"""How wide the two generators are: frozen records, and the named presets.

Widths of the flow attention network follow GFLA (the paper's baseline); the paper
does not state those of the enhancer.
"""

from dataclasses import asdict, dataclass
from typing import ClassVar, Literal

from dancepipe.errors import ConfigError
from dancepipe.files.plain_text import shortened
from dancepipe.priors.names import PriorName
from dancepipe.systems.dims_fields import (
    check_choice,
    check_switch,
    check_width,
    checked_size_hw,
    fields_of,
)

Attention = Literal["spatial", "gate"]
EnhancerNorm = Literal["batch", "instance"]

SIZE_STEP = 16  # both generators shrink four times by two
ENLARGE = (1, 2)
SMALLEST_SIDE = 32  # below it the innermost maps have one position and nothing to normalise over


@dataclass(frozen=True)
class FlowAttentionDims:
    """Stage 1: the flow attention network (section 3.2)."""

    # channels at half size; the appearance and pose encoders reach 4 * nf, the flow network starts
    # at nf / 2
    nf: int = 64
    attention: Attention = (
        "spatial"  # A of eq. 2: softmax over positions with mean 1, or a bounded two-way gate
    )
    attention_module: bool = (
        True  # False: M is read off the flow features alone, as in GFLA (the paper's ablation)
    )
    window_4: int = 5  # side of local attention's window at H/4 (at H/8 it is 3)
    # ours: "limbs" starts from the limb warp, "body" from the body in three dimensions, and copies
    # its pixels through a gate (gated_copy.py)
    prior: PriorName = "none"

    def __post_init__(self):
        check_width("nf", self.nf, 2)
        check_choice("attention", self.attention, Attention)
        check_switch("attention_module", self.attention_module)
        if type(self.window_4) is not int or self.window_4 not in (3, 5):
            raise ConfigError(f"window_4 is {shortened(self.window_4)}; choose 3 or 5")
        check_choice("prior", self.prior, PriorName)


@dataclass(frozen=True)
class EnhancerDims:
    """Stage 2: the enhancer (section 3.3)."""

    n: int = 32  # channels of the last block; the first starts from 16 * n
    h: int = 64  # hidden channels of each modulation
    # what is modulated; batch uses running statistics at test, so frames do not flicker
    norm: EnhancerNorm = "batch"
    keep: bool = False  # ours: a gate, open at first, that keeps the coarse picture's own pixels

    def __post_init__(self):
        check_width("n", self.n, 1)
        check_width("h", self.h, 1)
        check_choice("norm", self.norm, EnhancerNorm)
        check_switch("keep", self.keep)


@dataclass(frozen=True)
class ModelDims:
    """Both generators and the size they are trained at; every network is fully convolutional."""

    system: ClassVar[str] = "focus_retain"

    preset: str
    size_hw: tuple[int, int]
    flow_attention: FlowAttentionDims
    enhancer: EnhancerDims
    # stage 1 works at size_hw / enlarge; its picture is enlarged, and stage 2 works at size_hw
    enlarge: int = 1

    def __post_init__(self):
        name = self.preset
        if not isinstance(name, str) or not name.isprintable() or not 0 < len(name) <= 40:
            raise ConfigError(f"preset is {shortened(name)}; it must be a name")
        if type(self.enlarge) is not int or self.enlarge not in ENLARGE:
            raise ConfigError(
                f"enlarge is {shortened(self.enlarge)}; "
                f"choose one of {', '.join(map(str, ENLARGE))}"
            )
        smallest, step = SMALLEST_SIDE * self.enlarge, SIZE_STEP * self.enlarge
        object.__setattr__(self, "size_hw", checked_size_hw(self.size_hw, smallest, step))

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
        """The inverse of as_json. ConfigError when the record is another one."""
        values = fields_of(ModelDims, record, "dims")
        parts = {"flow_attention": FlowAttentionDims, "enhancer": EnhancerDims}
        made = {name: cls(**fields_of(cls, values[name], name)) for name, cls in parts.items()}
        return ModelDims(**values | made)


PRESETS: dict[str, ModelDims] = {
    dims.preset: dims
    for dims in (
        ModelDims("paper", (256, 256), FlowAttentionDims(64), EnhancerDims(64, 128)),
        ModelDims("market", (128, 64), FlowAttentionDims(64, window_4=3), EnhancerDims(64, 128)),
        ModelDims(
            "base",
            (256, 256),
            FlowAttentionDims(64, prior="limbs"),
            EnhancerDims(32, 64, keep=True),
        ),
        ModelDims(
            "live",
            (256, 256),
            FlowAttentionDims(16, "gate", prior="limbs"),
            EnhancerDims(8, 32, keep=True),
        ),
        ModelDims(
            "tiny", (64, 64), FlowAttentionDims(12, prior="limbs"), EnhancerDims(8, 16, keep=True)
        ),
    )
}
