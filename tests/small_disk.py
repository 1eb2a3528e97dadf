"""A disk of a few megabytes that can be filled up, where the tests may mount one."""

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PAGE_BYTES = 4096  # a tmpfs gives its space away in these


@contextmanager
def small_disk(place: Path, megabytes: int = 64) -> Iterator[Path]:
    """An empty tmpfs mounted at `place`; the test is skipped where that is not allowed."""
    place.mkdir()
    options = f"size={megabytes}m"
    mounting = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(place)]
    try:
        mounted = subprocess.run(mounting, capture_output=True, text=True)
    except OSError as error:
        pytest.skip(f"no mount program ({error})")
    if mounted.returncode:
        pytest.skip(f"this user may not mount a small disk ({mounted.stderr.strip()})")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, free_pages: int) -> Path:
    """Fill the disk but for so many pages; gives the file to remove to make room again."""
    filler = place / "filler"
    with open(filler, "wb", buffering=0) as file:
        page = b"\1" * PAGE_BYTES
        try:
            while True:
                file.write(page * 256)
        except OSError:
            pass
        try:
            while True:
                file.write(page)
        except OSError:
            pass
        file.truncate(max(0, file.tell() // PAGE_BYTES - free_pages) * PAGE_BYTES)
    return filler


def pages_in(folder: Path) -> int:
    """How many pages the files below it take."""
    sizes = (path.stat().st_size for path in folder.rglob("*") if path.is_file())
    return sum(-(-size // PAGE_BYTES) for size in sizes)
