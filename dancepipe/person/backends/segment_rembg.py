"""Masks with the segmentation networks that rembg publishes (extra rembg).

rembg finds or downloads the network; we run it ourselves. rembg divides each picture by its
brightest pixel and stretches each mask to the full range, so a video flickers and an empty picture
gets a mask; here both are fixed. The network sees a square around the person rather than the whole
picture squashed. No averaging over time: it would leave ghosts of fast arms.
"""

import logging
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from dancepipe.errors import ConfigError, MissingExtraError, WeightsError
from dancepipe.person.crop import Box, body_bounds, crop_square, square_box
from dancepipe.person.regions import limit_to_person, paste_square
from dancepipe.records import PersonFrame

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Network:
    side_px: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    gives_logits: bool


_IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
# Local networks under free licences only (U2-Net, IS-Net: Apache-2.0; BiRefNet: MIT). rembg's own
# default, bria-rmbg, needs a
# paid licence for commercial work, and some of its other names are services that send the picture
# away.
MODELS = {
    "u2net_human_seg": _Network(320, *_IMAGENET, gives_logits=False),
    "u2net": _Network(320, *_IMAGENET, gives_logits=False),
    "u2netp": _Network(320, *_IMAGENET, gives_logits=False),
    "silueta": _Network(320, *_IMAGENET, gives_logits=False),
    "isnet-general-use": _Network(1024, (0.5, 0.5, 0.5), (1.0, 1.0, 1.0), gives_logits=False),
    "birefnet-portrait": _Network(1024, *_IMAGENET, gives_logits=True),
    "birefnet-general": _Network(1024, *_IMAGENET, gives_logits=True),
    "birefnet-general-lite": _Network(1024, *_IMAGENET, gives_logits=True),
}
_BOX_MARGIN = 0.12  # empty border around the body, in box sides
_HELD_MARGIN, _HELD_GROWTH = (
    0.04,
    1.4,
)  # the box of the last frame is kept while the body fits it this well


class RembgSegmenter:
    """segment(image, person) -> uint8 (H, W), 255 = person; with several people only the
    followed one's region."""

    def __init__(
        self,
        model: str = "u2net_human_seg",
        *,
        device: str = "cpu",
        steady: bool = True,
    ):
        """steady: the pictures are frames of one clip, and the square around the person stays where
        it is while it can."""
        if model not in MODELS:
            raise ConfigError(
                f"rembg model {model!r} is not one of the free local ones: choose from "
                f"{', '.join(MODELS)}"
            )
        self._network = MODELS[model]
        self._session: Any = _open_session(model, _find_or_download(model), device)
        self._input_name = self._session.get_inputs()[0].name
        self._steady = steady
        self.held_box: Box | None = None  # of the frame before

    def segment(self, image: np.ndarray, person: PersonFrame) -> np.ndarray:
        box = _steady_box(body_bounds(person.pose), self.held_box)
        if self._steady:
            self.held_box = box
        network = self._network
        crop = crop_square(image, box, network.side_px)  # (S, S, 3)
        mean, std = np.array(network.mean, np.float32), np.array(network.std, np.float32)
        normal = (crop.astype(np.float32) / 255 - mean) / std
        out = self._session.run(None, {self._input_name: normal.transpose(2, 0, 1)[None]})[0][
            0, 0
        ]  # (S, S)
        probability = (
            1 / (1 + np.exp(-out.astype(np.float32)))
            if network.gives_logits
            else out.astype(np.float32)
        )
        square = (np.nan_to_num(probability).clip(0, 1) * 255 + 0.5).astype(np.uint8)
        mask = paste_square(square, box, (image.shape[1], image.shape[0]))
        return limit_to_person(mask, person.pose) if person.people_seen > 1 else mask

    def close(self) -> None:
        self._session = None


def _steady_box(bounds: Box, held: Box | None) -> Box:
    """A square around the body that stays put while the body stays in it: a moving crop makes
    the mask's edge crawl."""
    if held is not None:
        side = held[2] - held[0]
        border = _HELD_MARGIN * side
        fits = held[0] + border <= bounds[0] and held[1] + border <= bounds[1]
        fits = fits and bounds[2] <= held[2] - border and bounds[3] <= held[3] - border
        fresh = square_box(bounds, margin=_BOX_MARGIN)
        if fits and side <= _HELD_GROWTH * (fresh[2] - fresh[0]):
            return held
    return square_box(bounds, margin=_BOX_MARGIN)


def _find_or_download(model: str) -> str:
    """Path of the network's .onnx file, downloaded by rembg when it is not on this disk yet."""
    # rembg compiles for a minute at its first import and loads for seconds at each: only a download
    # is worth that.
    for path in _known_places(model):
        if path.is_file():
            return str(path)
    try:
        from rembg.sessions import sessions_class
    except ImportError as error:
        raise MissingExtraError("rembg", "rembg", "the mask backend rembg") from error
    published = next((session for session in sessions_class if session.name() == model), None)
    if published is None:
        raise WeightsError(
            f"this version of rembg has no model {model}: upgrade it, or choose another of "
            f"{', '.join(MODELS)}"
        )
    log.info(f"downloading {model}.onnx through rembg into {published.model_dir()}")
    try:
        return str(published.download_models())
    except (OSError, ValueError) as error:  # ValueError: the checksum is wrong
        raise WeightsError(
            f"cannot download the mask network {model} ({error}): "
            f"put {model}.onnx into {published.model_dir()}, or use the mask of mediapipe"
        ) from error


def _known_places(model: str) -> list[Path]:
    """Where rembg keeps that network, new place first (its REMBG_HOME, U2NET_HOME and
    XDG_DATA_HOME count)."""
    data = os.environ.get("XDG_DATA_HOME")
    flat = os.environ.get("U2NET_HOME") or Path(data or "~") / ".u2net"
    home = (
        os.environ.get("U2NET_HOME")
        or os.environ.get("REMBG_HOME")
        or (Path(data) / "rembg" if data else "~/.rembg")
    )
    places = Path(home) / "models" / model / f"{model}.onnx", Path(flat) / f"{model}.onnx"
    return [place.expanduser() for place in places]


def _open_session(model: str, path: str, device: str) -> Any:
    """onnxruntime's session. Any: by its types an output may be a sparse tensor, a list or a
    map; these networks give arrays."""
    try:
        import onnxruntime
    except ImportError as error:
        raise MissingExtraError("onnxruntime", "rembg", "the mask backend rembg") from error
    wanted = (
        ["CUDAExecutionProvider", "CPUExecutionProvider"]
        if device.startswith("cuda")
        else ["CPUExecutionProvider"]
    )
    available = [
        provider for provider in wanted if provider in onnxruntime.get_available_providers()
    ]
    try:
        session = onnxruntime.InferenceSession(path, providers=available)
    except Exception as error:  # onnxruntime's own errors share no base but Exception
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"cannot read the mask network {path} ({reason}): delete the file to download it again"
        ) from error
    if wanted[0] not in session.get_providers():
        log.warning(
            f"mask network {model} runs on the CPU: onnxruntime here has no CUDA (pip install "
            "onnxruntime-gpu in place of onnxruntime)"
        )
    shape = session.get_inputs()[0].shape
    side = MODELS[model].side_px
    expected = (3, side, side)
    if len(shape) != 4 or any(
        isinstance(got, int) and got != needs
        for got, needs in zip(shape[1:], expected, strict=True)
    ):
        raise WeightsError(
            f"{path} reads {shape}, the network {model} reads [1, 3, {side}, {side}]: delete the "
            "file to download it again"
        )
    return session
