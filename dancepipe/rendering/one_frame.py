"""A look at what a video will be: the person in one frame of it."""

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np

from dancepipe.media.read import VideoReader
from dancepipe.rendering.preview import PreviewSummary
from dancepipe.rendering.session import Session

_SIDE_PX = 720
_CODEC = "ffv1"  # the frame as it is


def animate_one_frame(
    session: Session,
    refs: Sequence[str],
    driver: Path,
    shown: PreviewSummary,
    folder: Path,
    options: dict,
) -> Path:
    """The picture (.png) of the frame that a preview has shown, in `folder`, which is there and
    empty. The plan of size and place is that of the frame alone, not of the whole driver. Raises
    what animate raises."""
    frame = _frame_at(driver, shown.seconds)
    _write_clip(folder / "frame.mkv", frame)
    x, y = shown.places[shown.followed - 1]
    whom = f"{x:.3f},{y:.3f}" if shown.people > 1 else "largest"
    options = {**options, "person": whom, "overwrite": True, "start": 0, "duration": None}
    session.animate(refs, folder / "frame.mkv", folder / "made", **options)
    return next((folder / "made").glob("*.png"))


def _frame_at(driver: Path, seconds: float) -> np.ndarray:
    with VideoReader(driver, max_side_px=_SIDE_PX) as video:
        last = None
        for frame in video:
            last = frame.image
            if frame.time_seconds >= seconds:
                break
    assert last is not None  # a video without frames was refused when people were looked for
    return last


def _write_clip(path: Path, image: np.ndarray) -> None:
    height, width = image.shape[:2]
    image = image[: height // 2 * 2, : width // 2 * 2]
    with av.open(str(path), "w") as file:
        stream = file.add_stream(_CODEC, rate=25)
        stream.width, stream.height = image.shape[1], image.shape[0]
        stream.pix_fmt = "bgr0"
        for packet in stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image))):
            file.mux(packet)
        for packet in stream.encode():
            file.mux(packet)
