"""What tells one run of animate from another: only a run with the same plan goes on from what a
stopped one left."""

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import dancepipe

# Those that decide over the last bit of a picture, a joint or a packet.
_LIBRARIES = (
    "ai-edge-litert", "av", "numba", "numpy", "onnxruntime", "opencv-python-headless", "openvino",
    "torch",
)  # fmt: skip
_NO_PICTURES = ("overwrite", "device", "own_network")  # options that change nothing in the result


def plan_of(
    options: Mapping[str, Any],
    *,
    out: Path,
    photos: Sequence[Path],
    driver: Path,
    weights: Path | str,
    device: str,
    others: Mapping[str, Path | str | None],
) -> dict:
    """Plain words: everything that the bytes of the result follow from, files by their bytes.

    others: files, or names, behind options. BadVideoError and the like come from whoever opens the
    files; one that cannot be read here counts as absent.
    """
    words = {name: value for name, value in options.items() if name not in _NO_PICTURES}
    return {
        "program": _program(),
        "libraries": {name: _version(name) for name in _LIBRARIES},
        "machine": platform.machine(),
        "device": device.partition(":")[0],
        "result": out.name,
        "photos": [file_digest(photo) for photo in photos],
        "driver": file_digest(driver),
        "weights": file_digest(weights) or str(weights),
        "others": {name: one and (file_digest(one) or str(one)) for name, one in others.items()},
        "options": words,
    }


def plan_digest(plan: dict) -> str:
    """Hexadecimal; another for another plan."""
    return hashlib.sha256(json.dumps(plan, sort_keys=True).encode()).hexdigest()


def differences(plan: dict, other: dict) -> str:
    """For people: in what two plans differ."""
    names = [name for name in plan if name != "options" and plan[name] != other.get(name)]
    theirs = other.get("options")
    if isinstance(theirs, dict):
        names += [name for name, value in plan["options"].items() if theirs.get(name) != value]
    return ", ".join(names) or "nothing that is known here"


def file_digest(path: Path | str) -> str | None:
    """Of its bytes; None when there is no such file."""
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    except OSError:
        return None
    return digest.hexdigest()


@cache
def _program() -> str:
    """The version, and the code itself: of a checkout that is worked on the version says little."""
    folder, digest = Path(dancepipe.__file__).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        digest.update(f"{path.relative_to(folder)}\0".encode() + path.read_bytes())
    return f"{dancepipe.__version__} {digest.hexdigest()[:16]}"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
