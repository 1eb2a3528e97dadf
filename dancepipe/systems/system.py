"""The door: what every system does, whatever is behind it.

A system makes pictures of a person in other poses. Who uses one knows pictures, masks and poses;
which maps, priors, sizes and stages it needs is its own affair. To add one, copy limb_warp.py (it
learns nothing) or focus_retain/ (it has weights), and name it in names.py. tests/test_systems.py
holds all of them to this.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from torch import Tensor

from dancepipe.pose.batch import PoseBatch

if TYPE_CHECKING:
    from dancepipe.systems.training import Training


@dataclass(frozen=True)
class SystemInfo:
    """What a system says about itself."""

    name: str  # as in names.py
    size_hw: tuple[int, int] | None  # of the pictures that it is made for; None: any
    # draws larger pictures too, and sharper ones: it reads the photo at their size
    draws_larger: bool = False
    preset: str | None = None  # None: nothing is learnt
    parts: str | None = None  # in words, which of its networks there are
    remark: str | None = None  # what a user should hear before the result
    reads_hands: bool = False  # poses should come with hands, which cost time to find
    draws_at_once: int = 1  # how many targets of a batch it draws side by side on the CPU
    joins_photos: bool = False  # has encode_together (JoiningSystem)


@dataclass(frozen=True, eq=False)
class Drawn:
    """Results, on the CPU."""

    pictures: Tensor  # uint8 RGB (B, H, W, 3), on grey
    mattes: Tensor  # uint8 (B, H, W), 255 = person


class System(Protocol):
    """Opened for one device and one precision ("fp32" or "bf16", of the convolutions)."""

    @property
    def info(self) -> SystemInfo: ...

    def encode(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> Any:
        """Everything that depends on the references alone: a state, which only this system reads
        and nobody changes.

        images: uint8 RGB (B, H, W, 3) on grey. masks: uint8 (B, H, W), 255 = person. poses: of
        those pictures. All on any device. ValueError for other shapes.
        """
        ...

    def draw(self, state: Any, targets: PoseBatch) -> Drawn:
        """The people of the state in the target poses, in the size of the references.

        A state of batch 1 serves any number of targets, one of B serves B. ValueError for other
        numbers. What is drawn does not depend on what was drawn before.
        """
        ...


class JoiningSystem(System, Protocol):
    """A system that makes one person of several photos."""

    def encode_together(self, images: Tensor, masks: Tensor, poses: PoseBatch) -> Any:
        """A state of batch 1, of one person in as many photos; given as to encode(). The first
        photo counts most: how large the person is, and what is worn."""
        ...


class Dims(Protocol):
    """How large a system's networks are: a frozen record of its own, kept in weight files."""

    system: ClassVar[str]

    @property
    def preset(self) -> str: ...

    @property
    def size_hw(self) -> tuple[int, int]: ...

    def as_json(self) -> dict:
        """Plain dicts, lists, numbers and strings."""
        ...


@dataclass(frozen=True)
class SystemEntry:
    """What the house knows of a system before it is opened."""

    name: str
    # of a weight file (None for a system that learns nothing), device, precision
    open: Callable[[Path | None, str, str], System]
    # the same by a runtime beside torch (runtime/choice.py), on the CPU in fp32; None: it has no
    # networks that one could run. Of a weight file, runtime, how many
    # targets are drawn side by side
    open_on: Callable[[Path, str, int], System] | None = None
    # as ONNX files: of a weight file, the folder to write them to, whether to overwrite
    export: Callable[[Path, Path, bool], dict[str, Path]] | None = None
    # the dims out of a weight file's header, ConfigError for a bad record; None: nothing is learnt
    read_dims: Callable[[dict], Dims] | None = None
    stages: tuple[int, ...] = ()  # that a weight file can be of
    training: Callable[[], "Training"] | None = None  # how it is trained, loaded when asked for

    @property
    def learns(self) -> bool:
        return self.read_dims is not None


def check_references(images: Tensor, masks: Tensor, poses: PoseBatch) -> None:
    """ValueError when the three are not of one batch and one size."""
    if images.ndim != 4 or images.shape[:3] != masks.shape or len(images) != len(poses):
        raise ValueError(
            f"references need pictures (B, H, W, 3), masks (B, H, W) and B poses, got "
            f"{tuple(images.shape)}, {tuple(masks.shape)} and {len(poses)}"
        )


def check_targets(references: int, targets: PoseBatch) -> None:
    """ValueError when a state of that many references cannot serve the targets."""
    if references not in (1, len(targets)):
        raise ValueError(
            f"{references} references cannot serve {len(targets)} targets; need 1 or B"
        )
