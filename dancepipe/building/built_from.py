"""Has a local source changed since its clip was built? By size, times and content.

A clip keeps a note of the files that it was made of. Where size and times are as noted, the files
are taken for unchanged; where only times differ (a copy, a move, a clock that was wrong), the
content decides.
"""

import hashlib
import json
from pathlib import Path

from dancepipe.building.sources import Source
from dancepipe.data.store import built_from
from dancepipe.errors import DatasetError
from dancepipe.media.image import photo_files

_BLOCK_BYTES = 1 << 20


def note_of(source: Source) -> str | None:
    """What the clip keeps: name, size, times and SHA-256 of each file. None: not on this disk."""
    files = _files(source)
    if files is None:
        return None
    return json.dumps([[*_outside(path), _sha256(path)] for path in files])


def is_unchanged(source: Source, clip: Path) -> bool:
    """Whether the clip was built from what the source is now. DatasetError: the clip is damaged."""
    files = _files(source)
    if files is None:
        return True
    noted = _noted(clip)
    if noted is None or len(noted) != len(files):
        return False
    for path, (*outside, sha256) in zip(files, noted, strict=True):
        now = _outside(path)
        if now[:2] != outside[:2] or (now != outside and _sha256(path) != sha256):
            return False
    return True


def state_of(source: Source) -> list | None:
    """Names, sizes and times of its files, by which a failure is known to be another one's now.
    None: not on this disk."""
    files = _files(source)
    return None if files is None else [_outside(path)[:3] for path in files]


def _files(source: Source) -> list[Path] | None:
    location = Path(source.location)
    if source.is_photos:
        return photo_files(location)
    return [location] if location.is_file() else None


def _outside(path: Path) -> list:
    """Name, size in bytes, and when content and entry changed, in nanoseconds.

    The second time moves with every change and cannot be set by hand, so that content that is
    exchanged for other content of the same size and date is seen, too.
    """
    stat = path.stat()
    return [path.name, stat.st_size, stat.st_mtime_ns, stat.st_ctime_ns]


def _noted(clip: Path) -> list | None:
    text = built_from(clip)
    try:
        noted = json.loads(text) if text else None
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{clip}: its note of what it was built from is damaged") from error
    rows = noted if isinstance(noted, list) else []
    if noted is not None and not all(isinstance(row, list) and len(row) == 5 for row in rows):
        raise DatasetError(f"{clip}: its note of what it was built from is damaged")
    return noted


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    try:
        with open(path, "rb") as file:
            while block := file.read(_BLOCK_BYTES):
                digest.update(block)
    except OSError:
        return "unreadable"  # whoever needs its content says why
    return digest.hexdigest()
