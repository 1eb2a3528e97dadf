"""The files of the networks that find people: which they are, and where they come from.

All come from one wheel of mediapipe, used as data. They are taken from the folder that
DANCEPIPE_MODELS names, else from the user's cache folder, else from an installed mediapipe of that
version, else fetched into the cache folder. No byte is used whose SHA-256 is not the one below.
"""

import hashlib
import importlib.metadata
import logging
import os
from dataclasses import dataclass
from pathlib import Path

from dancepipe.errors import WeightsError, WeightsMissingError
from dancepipe.files.caches import cache_folder
from dancepipe.files.whole_file import WholeFile, make_folder
from dancepipe.person.blazepose.fetch_wheel import fetch_from_wheel

log = logging.getLogger(__name__)

PACKAGE, VERSION = "mediapipe", "0.10.14"  # Apache-2.0, the networks too


@dataclass(frozen=True)
class ModelFile:
    """A network's file in the wheel."""

    place: str  # inside the wheel
    sha256: str
    purpose: str

    @property
    def name(self) -> str:
        return self.place.rpartition("/")[2]


DETECTOR = ModelFile(
    "mediapipe/modules/pose_detection/pose_detection.tflite",
    "9ba9dd3d42efaaba86b4ff0122b06f29c4122e756b329d89dca1e297fd8f866c",
    "finds everyone in a picture",
)
BODY = ModelFile(
    "mediapipe/modules/pose_landmark/pose_landmark_full.tflite",
    "e9a5c5cb17f736fafd4c2ec1da3b3d331d6edbe8a0d32395855aeb2cdfd64b9f",
    "33 points of a body with depth, and its mask",
)
HAND_REGION = ModelFile(
    "mediapipe/modules/holistic_landmark/hand_recrop.tflite",
    "67d996ce96f9d36fe17d2693022c6da93168026ab2f028f9e2365398d8ac7d5d",
    "where exactly a hand is",
)
HAND = ModelFile(
    "mediapipe/modules/hand_landmark/hand_landmark_full.tflite",
    "11c272b891e1a99ab034208e23937a8008388cf11ed2a9d776ed3d01d0ba00e3",
    "21 points of a hand with depth",
)
MODELS = (DETECTOR, BODY, HAND_REGION, HAND)


def read_model(model: ModelFile) -> bytes:
    """The checked content of a network's file, fetched when it is nowhere, which is logged.

    Raises WeightsMissingError when it is nowhere and cannot be fetched, WeightsError for a file of
    DANCEPIPE_MODELS that is another one, OutputError when it cannot be kept.
    """
    found = _find(model)
    return found[1] if found else _fetch()[model]


def models_at_hand() -> bool:
    """Whether nothing is to be fetched. Raises as read_model for what DANCEPIPE_MODELS names."""
    return all(_find(model) is not None for model in MODELS)


def describe_models() -> str:
    """Every file with its place, as text; what is nowhere is fetched first. Raises as
    read_model."""
    if not models_at_hand():
        _fetch()
    lines = [f"networks that find people, from {PACKAGE} {VERSION} (Apache-2.0), SHA-256 checked"]
    for model in MODELS:
        found = _find(model)
        assert found is not None  # all are at hand by now
        path, content = found
        lines.append(f"  {model.purpose:46} {len(content) / 1e6:4.1f} MB  {path}")
    return "\n".join(lines)


def _find(model: ModelFile) -> tuple[Path, bytes] | None:
    """Where the file is, and its checked content; None when it is to be fetched."""
    if named := os.environ.get("DANCEPIPE_MODELS"):
        path = Path(named).expanduser() / model.name
        content = _content(path)
        if content is None:
            raise WeightsMissingError(
                f"no {model.name} in {path.parent}, the folder that DANCEPIPE_MODELS names; "
                "put the file there, or unset DANCEPIPE_MODELS"
            )
        if not _is_right(model, content):
            raise WeightsError(
                f"{path} is not the file of {PACKAGE} {VERSION} "
                f"(SHA-256 {model.sha256[:8]}... is needed); put that one there, "
                "or unset DANCEPIPE_MODELS"
            )
        return path, content
    for path in (cache_folder("models") / model.name, _installed(model)):
        if (
            path is not None
            and (content := _content(path)) is not None
            and _is_right(model, content)
        ):
            return path, content
    return None


def _content(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


def _is_right(model: ModelFile, content: bytes) -> bool:
    return hashlib.sha256(content).hexdigest() == model.sha256


def _installed(model: ModelFile) -> Path | None:
    """The file in an installed mediapipe of that version, which is not imported."""
    try:
        package = importlib.metadata.distribution(PACKAGE)
    except importlib.metadata.PackageNotFoundError:
        return None
    return Path(str(package.locate_file(model.place))) if package.version == VERSION else None


def _fetch() -> dict[ModelFile, bytes]:
    """All files out of the wheel, into the cache folder."""
    folder = cache_folder("models")
    log.info(
        f"fetching the networks that find people, once: {PACKAGE} {VERSION}, 36 MB, "
        f"of which 15 are kept in {folder}"
    )
    contents = fetch_from_wheel(PACKAGE, VERSION, [model.place for model in MODELS])
    found = {model: contents[model.place] for model in MODELS}
    for model, content in found.items():
        if not _is_right(model, content):
            raise WeightsError(
                f"the {model.name} that was fetched is not the one of {PACKAGE} {VERSION} "
                f"(SHA-256 {model.sha256[:8]}... is needed); ask whoever keeps your package index, "
                "or name a folder with the right files by DANCEPIPE_MODELS"
            )
    make_folder(folder, private=True)
    for model, content in found.items():
        with WholeFile(folder / model.name, overwrite=True, private=True) as file:
            file.fill(content)
    return found
