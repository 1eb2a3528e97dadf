"""A driver that is named by its address: fetched once, and found again by the next command."""

import logging
import os
import time
from contextlib import suppress
from pathlib import Path

from dancepipe.address import public_address
from dancepipe.errors import BusyError
from dancepipe.files.caches import cache_folder
from dancepipe.files.lock import Lock, lock_file
from dancepipe.files.whole_file import make_folder
from dancepipe.media.fetch import VIDEO_SUFFIXES, fetch, is_address, source_key

log = logging.getLogger(__name__)

_KIND = "drivers"
_KEPT_SECONDS = 7 * 24 * 3600
_MOST_HEIGHT_PX = 1080
_BETWEEN_LOOKS_SECONDS = 0.5


def local_video(source: Path | str, *, own_network: bool) -> Path:
    """The file itself, or the one that an http(s) address was fetched to.

    It lies in the user's cache under a name that follows from the address, so that a command that
    was stopped goes on with it; a week after its last use the next fetch removes it. own_network:
    see fetch(). FetchError, also for other schemes.
    """
    if not isinstance(source, str) or not is_address(source):
        return Path(source)
    folder = cache_folder(_KIND)
    make_folder(folder, private=True)
    with _turn(folder / source_key(source), source):
        _remove_old(folder, source_key(source))
        if not any(folder.glob(f"{source_key(source)}.*")):
            log.info(f"fetching {public_address(source)}")
        path = fetch(source, folder, max_height_px=_MOST_HEIGHT_PX, own_network=own_network)
        with suppress(OSError):  # a cache that cannot be written to serves as well
            os.utime(path)
    return path


def _turn(place: Path, source: str) -> Lock:
    """with-block: another command may be fetching it, and is waited for."""
    is_told = False
    while True:
        try:
            return lock_file(place)
        except BusyError:
            if not is_told:
                log.info(f"another dancepipe fetches {public_address(source)}; waiting for it")
            is_told = True
            time.sleep(_BETWEEN_LOOKS_SECONDS)


def _remove_old(folder: Path, key: str) -> None:
    for path in folder.iterdir():
        is_video = path.suffix in VIDEO_SUFFIXES and not path.name.startswith((".", key))
        with suppress(OSError):
            if is_video and time.time() - path.stat().st_mtime > _KEPT_SECONDS:
                path.unlink()
                log.info(f"{path} was not used for a week and is removed")
