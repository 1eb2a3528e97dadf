"""The weights that come with dancepipe: which there are, where they lie, and that they are the
ones we trained."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from dancepipe.errors import WeightsError, WeightsMissingError

_FOLDER = Path(__file__).parent.parent / "weights"


@dataclass(frozen=True)
class ShippedWeights:
    """One file of the package. docs/weights.md is its card."""

    name: str
    sha256: str
    about: str

    @property
    def path(self) -> Path:
        return _FOLDER / f"{self.name}.safetensors"


SHIPPED = (
    ShippedWeights(
        "live-256",
        "e8af96ce713a8f419300ab8e84939ff804509abe702233615b4ad0d3f8aaa496",
        "preset live, 256 x 256, stage 1, trained on rendered people only; Apache-2.0",
    ),
)
DEFAULT = SHIPPED[0]


def shipped_path(weights: ShippedWeights) -> Path:
    """The file, after a look at its bytes. WeightsMissingError when the package was built
    without it, WeightsError when it is another."""
    if not weights.path.is_file():
        raise WeightsMissingError(
            f"{weights.path} is not there: this dancepipe was packed without its weights; "
            "install it anew, or give --weights"
        )
    digest = hashlib.sha256(weights.path.read_bytes()).hexdigest()
    if digest != weights.sha256:
        raise WeightsError(
            f"{weights.path} is not the file that was shipped (SHA-256 {digest[:12]}..., not "
            f"{weights.sha256[:12]}...); install dancepipe anew"
        )
    return weights.path


def find_weights(wanted: Path | str | None) -> Path:
    """A file, the name of shipped weights, or None for the default ones -> the file. A file wins
    over a name."""
    if wanted is None:
        return shipped_path(DEFAULT)
    if not os.path.isfile(wanted):
        for weights in SHIPPED:
            if str(wanted) == weights.name:
                return shipped_path(weights)
    return Path(wanted)


def describe_shipped() -> str:
    """A line for each, for the screen."""
    return "\n".join(f"{one.name}  {one.about}  sha256 {one.sha256}" for one in SHIPPED)
