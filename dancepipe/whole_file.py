"""Text files that are whole or absent: written beside, synced, renamed."""

import os
from contextlib import suppress
from pathlib import Path

from dancepipe.errors import OutputError


def check_writable(path: Path) -> None:
    """Before long work: could `path` be written? Makes nothing. OutputError."""
    folder = Path(path).absolute().parent
    while not folder.exists():
        folder = folder.parent
    if not folder.is_dir() or not os.access(folder, os.W_OK) or Path(path).is_dir():
        what = "it is a folder" if Path(path).is_dir() else f"{folder} is {'read-only for you' if folder.is_dir() else 'no folder'}"
        raise OutputError(f"cannot write {path}: {what}; choose a file in a folder that you may write to")


def write_text(path: Path, text: str) -> None:
    """Put `text` (UTF-8) under `path`; what stood there stays until the new file is whole. OutputError."""
    path = Path(path)
    part = path.with_name(f".{path.name}.part")  # a leading dot: readers of the folder pass over it
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(part, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError as error:
        with suppress(OSError):
            part.unlink()
        raise OutputError(f"cannot write {path}: {error.strerror or error}; free some space, or choose a folder that you may write to") from error
