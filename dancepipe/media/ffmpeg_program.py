"""Where the user's ffmpeg is."""

import os
import shutil
from pathlib import Path

from dancepipe.errors import OutputError


def find_ffmpeg() -> str | None:
    """Path of an ffmpeg program: $DANCEPIPE_FFMPEG, then PATH, then the one inside the package
    imageio-ffmpeg; None when there is none.

    OutputError when $DANCEPIPE_FFMPEG is set and is no program: a wish is not passed over in
    silence.
    """
    wished = os.environ.get("DANCEPIPE_FFMPEG")
    if wished:
        found = shutil.which(wished)
        if found is None:
            raise OutputError(
                f"DANCEPIPE_FFMPEG is {wished!r}, which is not a program; unset it or name one"
            )
        return found
    found = shutil.which("ffmpeg")
    if found is not None:
        return found
    try:
        import imageio_ffmpeg
    except ImportError:
        return None
    try:
        bundled = imageio_ffmpeg.get_ffmpeg_exe()
    except RuntimeError:  # its way of saying that it has no binary for this machine
        return None
    return bundled if Path(bundled).exists() else None
