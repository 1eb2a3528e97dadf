"""The one folder of the page: uploads, looks, jobs with their orders and results, the
ledger, a secret."""

import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from dancepipe.errors import ConfigError
from dancepipe.files.caches import cache_folder
from dancepipe.files.lock import lock_folder
from dancepipe.files.whole_file import WholeFile, make_folder, write_text
from dancepipe.media.image import load_photo
from dancepipe.media.probe import probe_video

_MARK = ".dancepipe-web"
_OWN = ("uploads", "looks", "jobs", "orders", "ledger.jsonl")
_PACKAGE = Path(__file__).resolve().parents[1]
# In an installed package beside its modules, in a checkout at the top.
_SAMPLES = (_PACKAGE / "samples", _PACKAGE.parent / "samples")


def web_folder(named: str | None) -> Path:
    """Made, for the user alone, where it is not there yet. ConfigError for a folder with other
    files in it, which --empty might take for the page's; OutputError."""
    folder = Path(named).expanduser().resolve() if named else cache_folder("web")
    make_folder(folder, private=True)
    if not (folder / _MARK).exists():
        if any(folder.iterdir()):
            raise ConfigError(
                f"{folder} holds other files than the page's; name a folder that is empty or not "
                "there yet with --folder"
            )
        write_text(folder / _MARK, "")
    for name in _OWN[:-1]:
        make_folder(folder / name, private=True)
    return folder


def empty(folder: Path) -> int:
    """Removes what the page has kept there, and nothing else; how many jobs that were. BusyError
    while a page uses it."""
    with lock_folder(folder):
        jobs = sum(1 for _ in (folder / "jobs").iterdir())
        for name in _OWN:
            place = folder / name
            shutil.rmtree(place) if place.is_dir() else place.unlink(missing_ok=True)
    return jobs


def secret_of(folder: Path) -> str:
    """What visitors' tokens are sealed with: the same after a restart, so that they are known
    again."""
    path = folder / "secret"
    if not path.exists():
        with WholeFile(path, overwrite=True, private=True) as file:
            file.fill(secrets.token_urlsafe(32).encode())
    return path.read_text(encoding="utf-8")


def check_upload(folder: Path, path: Path, *, is_video: bool) -> Path:
    """The file, when it was uploaded here, or is a sample, and is what it shall be. BadImageError,
    BadVideoError, ConfigError."""
    place = path.resolve()
    homes = (folder / "uploads", *(one.resolve() for one in _SAMPLES))
    if not any(place.is_relative_to(home) for home in homes):
        raise ConfigError("this file was not uploaded here; choose it again")
    if is_video:
        probe_video(place)
    else:
        load_photo(place)
    return place


def samples() -> tuple[Path, Path] | None:
    """Photo and video, CC0; None where an installation has lost them."""
    for home in _SAMPLES:
        with suppress(OSError):
            photo, driver = home / "reference.png", home / "driver.mp4"
            if photo.is_file() and driver.is_file():
                return photo, driver
    return None
