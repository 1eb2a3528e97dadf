"""The stage: reference + driver -> video."""

from collections.abc import Sequence
from pathlib import Path

from dancepipe.config import options_with
from dancepipe.progress import Progress, told
from dancepipe.rendering.on_devices import animate_on_devices
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.session import Session
from dancepipe.rendering.share_options import ShareOptions
from dancepipe.rendering.summary import AnimateSummary


def animate(
    ref: Path | str | Sequence[Path | str],
    driver: Path | str,
    out: Path | str,
    weights: Path | str | None = None,
    options: AnimateOptions | None = None,
    *,
    progress: Progress | None = None,
    **keywords,
) -> AnimateSummary:
    """Make the person in the photo `ref` dance like the one in the video `driver`; write the
    video `out`.

    >>> import dancepipe
    >>> summary = dancepipe.animate("me.jpg", "dance.mp4", "out.mp4", background="black")
    >>> summary.frames_out == summary.frames_in
    True

    ref may be several photos of one person, a folder of them, or a short video or animated GIF of
    the person, of which a few frames from different sides are taken: each point of the body takes
    its colour from those that show it best, so that a photo from behind gives the back. The first
    one counts most.

    driver may be an http(s) address: the video is fetched into the cache, see
    media/fetched.py.

    Every frame of the driver gives one frame with the same timestamp; the audio is copied. weights:
    a file, the name of shipped weights or of a system, or None, as Session has them. keywords: the
    fields of ShareOptions, laid on `options`: those of AnimateOptions, and devices, num_shards and
    shard_index, by which several runs share one video. progress: called as progress(done, total)
    after each frame.

    `out` appears only when it is whole; one that is there is replaced with overwrite=True alone.
    Raises BadImageError, BadVideoError, FetchError, NoPersonError, WeightsError, ConfigError,
    OutputError, BusyError (another process makes `out`), MissingExtraError, ProcessLostError. For
    several clips, see Session.
    """
    options = options_with(ShareOptions, ShareOptions.of(options), keywords, "animate")
    shard, devices = options.shard(), options.device_names()
    one = AnimateOptions(**options.of_one_clip())
    if devices:
        with told(progress):
            return animate_on_devices(ref, driver, out, weights, one, devices, shard)
    with Session(weights, one) as session:
        return session.animate(ref, driver, out, progress=progress, shard=shard)
