"""Data sets in buckets (s3://, gs:// and what else fsspec knows): copied once into a cache,
and read from there. Training comes back to every row many times."""

import hashlib
import logging
from pathlib import Path

from dancepipe.data.index import INDEX_FILE
from dancepipe.data.store import SPLITS
from dancepipe.errors import DatasetError, MissingExtraError
from dancepipe.files.caches import cache_folder
from dancepipe.files.plain_text import plain_words
from dancepipe.files.whole_file import WholeFile, make_folder
from dancepipe.progress import counted

log = logging.getLogger(__name__)

_BESIDE = (INDEX_FILE, "pairs-test.csv", "pairs-test-hard.csv", "README.md")


def is_remote(place: object) -> bool:
    """Whether a data set is named by an address."""
    return isinstance(place, str) and "://" in place


def local_data(place: Path | str) -> Path:
    """The folder of a data set on this machine: a path is one already; of an address, a copy of
    what is there now (files of the same size are not fetched again).

    Raises DatasetError (nothing there, no access), MissingExtraError, OutputError.
    """
    if not is_remote(place):
        return Path(place)
    address = str(place).rstrip("/")
    try:
        import fsspec

        system, root = fsspec.core.url_to_fs(address)
    except ImportError as error:
        name = plain_words(error).split()[-1]
        raise MissingExtraError(name, "cloud", f"reading {address}") from error
    except ValueError as error:
        raise DatasetError(f"cannot read {address}: {plain_words(error)}") from error
    folder = cache_folder("data") / hashlib.sha256(address.encode()).hexdigest()[:16]
    try:
        found = system.find(root, detail=True)
    except Exception as error:  # each kind of bucket has errors of its own
        raise DatasetError(f"cannot read {address}: {plain_words(error)}") from error
    files = {}
    for path, facts in found.items():
        name = path[len(root) :].strip("/")
        parts = name.split("/")
        if name in _BESIDE or (len(parts) == 2 and parts[0] in (*SPLITS, "truth")):
            files[name] = path, int(facts["size"])
    if not any(name.endswith(".parquet") and "/" in name for name in files):
        raise DatasetError(f"no data set at {address}: name the place that holds train/ and test/")
    _remove_others(folder, set(files))
    missing = {
        name: path
        for name, (path, size) in files.items()
        if not (folder / name).is_file() or (folder / name).stat().st_size != size
    }
    if missing:
        log.info(f"{address}: {len(missing)} files are copied to {folder}")
    for name, path in counted(sorted(missing.items()), desc="copied", unit="file", disable=None):
        make_folder((folder / name).parent)
        with WholeFile(folder / name, overwrite=True) as whole:
            try:
                system.get_file(path, str(whole.part))
            except Exception as error:
                raise DatasetError(f"cannot read {path}: {plain_words(error)}") from error
    return folder


def _remove_others(folder: Path, names: set[str]) -> None:
    """Copies of what is not in the bucket any more."""
    for part in (*SPLITS, "truth"):
        for path in (folder / part).glob("*"):
            if f"{part}/{path.name}" not in names:
                path.unlink()
