"""What is installed, which devices and which weights are found: one text to read and to paste
into a report."""

import importlib.metadata
import platform
from pathlib import Path

from dancepipe import __version__
from dancepipe.errors import DancepipeError, WeightsMissingError

_CORE = (
    "torch",
    "torchvision",
    "av",
    "filelock",
    "numba",
    "numpy",
    "pillow",
    "tqdm",
    "pyyaml",
    "pyarrow",
    "safetensors",
    "yt-dlp",
    "ai-edge-litert",
    "opencv-python-headless",
)
_EXTRAS = {
    "yolo": "ultralytics",
    "rembg": "rembg",
    "decord": "decord",
    "heif": "pillow-heif",
    "ffmpeg": "ffmpeg-python",
    "dancers": "scipy",
    "tensorboard": "tensorboard",
    "cloud": "fsspec",
    "metrics": "torch-fidelity",
    "onnx": "onnxruntime",
    "openvino": "openvino",
    "ray": "ray",
    "web": "gradio",
}


def doctor(weights: Path | None = None) -> str:
    """The report as text. Never fails because something is missing: it says so."""
    lines = [
        f"dancepipe {__version__}, Python {platform.python_version()}, {platform.platform()}",
        "",
        "core packages",
    ]
    lines += [f"  {name:24} {_version(name) or 'MISSING: pip install dancepipe'}" for name in _CORE]
    lines += ["", "extras"]
    lines += [
        f"  {extra:24} "
        f"{_version(name) or f'not installed: pip install {chr(39)}dancepipe[{extra}]{chr(39)}'}"
        for extra, name in _EXTRAS.items()
    ]
    lines += [
        "",
        "devices",
        *_devices(),
        "",
        "backends",
        *_backends(),
        "",
        "weights",
        *_weights(weights),
        "",
        "weights of metrics",
        *_metric_weights(),
    ]
    return "\n".join(lines)


def facts(weights: Path | None = None) -> dict:
    """The same for programs: names and versions (None: not installed), and the report's lines."""
    told = {
        "devices": _devices(),
        "backends": _backends(),
        "weights": _weights(weights),
        "weights of metrics": _metric_weights(),
    }
    return {
        "dancepipe": __version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "packages": {name: _version(name) for name in _CORE},
        "extras": {extra: _version(name) for extra, name in _EXTRAS.items()},
        **{
            name.replace(" ", "_"): [" ".join(line.split()) for line in lines]
            for name, lines in told.items()
        },
    }


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _devices() -> list[str]:
    try:
        import torch
    except ImportError as error:
        return [f"  torch cannot be loaded: {error}"]
    lines = [
        f"  cpu                      {torch.get_num_threads()} threads, bf16 "
        f"{'fast' if _cpu_has_bf16() else 'slow (no hardware for it)'}"
    ]
    if torch.cuda.is_available():
        for index in range(torch.cuda.device_count()):
            properties = torch.cuda.get_device_properties(index)
            lines.append(
                f"  cuda:{index}                   {properties.name}, "
                f"{properties.total_memory / 2**30:.0f} GiB"
            )
    else:
        is_without = torch.version.cuda is None
        reason = "this torch is built without CUDA" if is_without else "no usable GPU or driver"
        lines.append(f"  cuda                     none found ({reason})")
    return lines


def _cpu_has_bf16() -> bool:
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False
    return "avx512_bf16" in flags or "amx_bf16" in flags


def _backends() -> list[str]:
    lines = []
    try:
        import numpy as np

        from dancepipe.person.blazepose.models import models_at_hand
        from dancepipe.person.finder import open_person_finder

        if models_at_hand():
            with open_person_finder("mediapipe", "mediapipe", mode="photo") as finder:
                finder.find(np.zeros((64, 64, 3), np.uint8))
            lines.append("  pose and mask            mediapipe works")
        else:
            lines.append(
                "  pose and mask            mediapipe's networks are not here yet: "
                "the first use fetches them, or `dancepipe models` does"
            )
    except Exception as error:  # a report must name whatever is wrong, of whatever kind
        lines.append(
            f"  pose and mask            mediapipe does NOT work: {type(error).__name__}: {error}"
        )
    from dancepipe.media.encoders import usable_encoders
    from dancepipe.media.ffmpeg_program import find_ffmpeg

    lines.append(f"  video encoders           {', '.join(usable_encoders())}")
    lines.append(
        "  ffmpeg program           "
        f"{find_ffmpeg() or 'not found (only --writer ffmpeg and merged downloads need it)'}"
    )
    return lines


def _weights(path: Path | None) -> list[str]:
    from dancepipe.systems.open import open_system
    from dancepipe.systems.shipped import SHIPPED, find_weights

    lines = []
    for wanted in [*(weights.name for weights in SHIPPED), *([path] if path else [])]:
        try:
            info = open_system(find_weights(wanted), "cpu").info
        except DancepipeError as error:
            lines.append(f"  {error}")
            continue
        assert info.size_hw is not None  # of all systems with weights
        height, width = info.size_hw
        square = "" if height == width else "; not square: animate will not take them"
        lines.append(f"  {wanted}: preset {info.preset}, {width} x {height}, {info.parts}{square}")
    return lines


def _metric_weights() -> list[str]:
    from dancepipe.evaluation.metric_weights import KNOWN, download_cache, find_metric_weights

    lines = [
        f"  in {download_cache()} (another folder: evaluate --metric-weights; downloads: "
        "evaluate --fetch)"
    ]
    for name, known in KNOWN.items():
        try:
            find_metric_weights(name, None)
            words = "found"
        except DancepipeError as error:
            words = "absent" if isinstance(error, WeightsMissingError) else str(error)
        lines.append(
            f"  {name:24} {words}: {known.file_name}, {known.megabytes} MB, {known.licence}"
        )
    return lines
