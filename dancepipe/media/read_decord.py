"""The reader of media/read.py's random access on decord (extra `decord`), for whoever has tuned
data set builds around it.

decord 0.6.0 knows no AV1 and no GIF, counts times from 0 whatever the file says, miscounts where
the container hides frames, leaves pixels unsquared, and an open reader decodes ahead without limit.
So: one reader at a time, closed at once; times and sizes come from the container itself; what it
would get wrong is refused.
"""

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from dancepipe.errors import BadVideoError, MissingExtraError
from dancepipe.media.display import fit_size
from dancepipe.media.probe import StreamLayout, probe_layout
from dancepipe.media.stretch import WHOLE, Stretch
from dancepipe.records import Frame


def read_frames_at(
    path: Path, indices: Sequence[int], max_side_px: int | None = None
) -> list[Frame]:
    """As media.read.read_frames_at: the frames with these indices, in the order asked for.
    BadVideoError, MissingExtraError."""
    if any(index < 0 for index in indices):
        raise ValueError(f"frame indices count from 0, got {min(indices)}")
    if not len(indices):
        return []
    return _read(Path(path), lambda total: list(indices), max_side_px, WHOLE)


def read_spread_frames(
    path: Path, count: int, max_side_px: int | None = None, stretch: Stretch = WHOLE
) -> list[Frame]:
    """`count` frames (all, when there are fewer) spread evenly over the stretch, in order, exact
    indices in it. BadVideoError, MissingExtraError."""
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    return _read(
        Path(path),
        lambda total: sorted({int((k + 0.5) * total / count) for k in range(count)}),
        max_side_px,
        stretch,
    )


def _read(path: Path, choose, max_side_px: int | None, stretch: Stretch) -> list[Frame]:
    try:
        import decord  # pyright: ignore[reportMissingImports] it is built for x86_64 alone
    except ImportError as error:
        raise MissingExtraError("decord", "decord", "reading with decord") from error
    decord.logging.set_level(
        decord.logging.QUIET
    )  # its FFmpeg chatters on stderr; errors come as exceptions
    layout = probe_layout(path)  # also refuses pictures, text and folders with the usual words
    for remark in layout.info.remarks:
        raise BadVideoError(path, f"{remark}, which decord does not do; use the default reader")
    if layout.is_untagged_hd:
        raise BadVideoError(
            path,
            "it is HD video that does not say its colours, which decord takes for those of SD "
            "video; use the default reader",
        )
    times = _times_in_order(path, layout)
    own, origin_seconds = stretch.indices(times), stretch.origin_seconds(times)
    if not own:
        raise stretch.without_frames(path, times[-1])
    chosen = [own.start + index for index in choose(len(own))]
    if max(chosen) >= len(times):
        raise BadVideoError(
            path, f"frame {max(chosen)} was asked for, but it has only {len(times)} frames"
        )
    order = sorted(set(chosen))
    reader = None
    try:
        reader = decord.VideoReader(str(path.absolute()), ctx=decord.cpu(0))
        if len(reader) != len(times):
            raise BadVideoError(
                path,
                f"decord sees {len(reader)} frames, the container has {len(times)}; use the "
                "default reader",
            )
        arrays = [_without_padding(reader[index].asnumpy()) for index in order]
    except (decord.DECORDError, RuntimeError, IndexError) as error:
        raise BadVideoError(
            path, f"decord cannot read its {layout.info.codec} stream; use the default reader"
        ) from error
    finally:
        del reader  # its decoding threads stop with it
    size_wh = fit_size(layout.info.size_wh, max_side_px)
    frames = {
        index: Frame(index - own.start, times[index] - origin_seconds, _resized(array, size_wh))
        for index, array in zip(order, arrays)
    }
    return [frames[index] for index in chosen]


def _times_in_order(path: Path, layout: StreamLayout) -> list[Fraction]:
    """Exact presentation time of every frame. BadVideoError for what decord counts otherwise."""
    packets = layout.packets
    if packets.hides_frames:
        raise BadVideoError(
            path,
            "its container hides frames (edit list), which decord miscounts; use the default "
            "reader",
        )
    if not packets.is_unbroken:
        raise BadVideoError(
            path, "its clock begins anew midway, which decord miscounts; use the default reader"
        )
    return layout.times


def _without_padding(array: np.ndarray) -> np.ndarray:
    """decord takes the padding at the end of narrow rows for further channels: (H, W, 4) that is
    really W x 3 bytes and a rest."""
    height, width, channels = array.shape
    if channels == 3:
        return array
    return array.reshape(height, width * channels)[:, : width * 3].reshape(height, width, 3)


def _resized(array: np.ndarray, size_wh: tuple[int, int]) -> np.ndarray:
    if (array.shape[1], array.shape[0]) == size_wh:
        return array
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(array), "rgb24")
    return frame.reformat(*size_wh, "rgb24", interpolation="AREA").to_ndarray()
