"""What is to be made: jobs out of a CSV or YAML list, of folders, or of a program's mappings."""

import csv
import hashlib
import io
import json
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from dancepipe.config import options_from
from dancepipe.errors import ConfigError, FetchError
from dancepipe.files.plain_text import read_text, shortened
from dancepipe.files.plain_yaml import read_plain_yaml
from dancepipe.media.fetch import VIDEO_SUFFIXES, is_address, source_key
from dancepipe.media.image import PICTURE_SUFFIXES
from dancepipe.rendering.options import AnimateOptions

MOST_BYTES = 256 << 20  # of a CSV file: a million jobs
_OWN = ("ref", "driver", "out", "weights")
_BETWEEN_PHOTOS = ";"
_YES_NO = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@dataclass(frozen=True)
class Job:
    """One video to be made."""

    refs: tuple[str, ...]  # photos of one person, or a folder of them
    driver: str
    out: str
    weights: str | None
    options: Mapping[str, object]  # the fields of AnimateOptions, all of them

    def digest(self) -> str:
        """What it is known by: another one when anything that is asked for, or a file that it is
        made from, is another now."""
        files = [_stamp(file) for file in (*self.refs, self.driver, self.weights) if file]
        driver = self.driver if is_address(self.driver) else os.path.abspath(self.driver)
        places = [*map(os.path.abspath, self.refs), driver, os.path.abspath(self.out)]
        asked = [places, self.weights, dict(self.options), files]
        return hashlib.sha1(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]

    @property
    def person(self) -> tuple:
        """What jobs have in common that one fitted photo serves."""
        return self.refs, self.weights or "", self.options["mask"], self.options["pose"]


def read_jobs(
    given: Path | str | Iterable[Mapping],
    out: Path,
    options: Mapping[str, object],
    weights: str | None = None,
) -> list[Job]:
    """The jobs of a list. given: a .csv or .yaml file, or mappings with the keys ref, driver and
    perhaps out, weights and the fields of AnimateOptions.

    A driver or ref that is not absolute is looked for from the list's folder, weights from here; a
    result is put into the folder `out`, named after ref and driver where the list does not name it.
    options: all fields of AnimateOptions, for what a job does not say; weights: the same.
    ConfigError names the place.
    """
    if isinstance(given, (str, Path)):
        path = Path(given)
        rows, base = _rows(path), path.parent
        where = [f"{path}, {kind} {number}" for kind, number, _ in rows]
        entries = [row for _, _, row in rows]
    else:
        entries, base = list(given), Path()
        where = [f"job {number}" for number, _ in enumerate(entries, 1)]
    usual = {} if weights is None else {"weights": weights}
    jobs = [
        _job({**usual, **row}, place, base, out, options)
        for row, place in zip(entries, where, strict=True)
    ]
    if not jobs:
        raise ConfigError(f"no job in {given}; name at least one ref with its driver")
    return _without_clashes(jobs, where)


def jobs_of_folders(
    refs: Path, drivers: Path, out: Path, options: Mapping[str, object], weights: str | None = None
) -> list[Job]:
    """Every person of `refs` (a photo, or a folder of photos of one) with every video of
    `drivers`. ConfigError."""
    people = [
        entry
        for entry in _entries(refs)
        if entry.suffix.lower() in PICTURE_SUFFIXES or (entry.is_dir() and _photos_in(entry))
    ]
    dances = [entry for entry in _entries(drivers) if entry.suffix.lower() in VIDEO_SUFFIXES]
    if not people:
        raise ConfigError(f"no photo in {refs}, and no folder of photos; give at least one")
    if not dances:
        raise ConfigError(f"no video in {drivers}; give at least one")
    rows = [{"ref": str(one), "driver": str(dance)} for one in people for dance in dances]
    return read_jobs(rows, out, options, weights)


def _entries(folder: Path) -> list[Path]:
    try:
        return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    except OSError as error:
        raise ConfigError(
            f"cannot look into {folder}: {error.strerror}; name a folder that you may read"
        ) from error


def _photos_in(folder: Path) -> bool:
    return any(entry.suffix.lower() in PICTURE_SUFFIXES for entry in _entries(folder))


def _rows(path: Path) -> list[tuple[str, int, Mapping]]:
    """What the entries of a file are called, their number, and they."""
    if path.suffix.lower() not in (".csv", ".yaml", ".yml"):
        raise ConfigError(f"cannot read jobs from {path}; give a .csv or .yaml file")
    try:
        if path.suffix.lower() == ".csv":
            return _csv_rows(path, read_text(path, MOST_BYTES))
        listed = read_plain_yaml(path)
    except OSError as error:
        raise ConfigError(f"cannot read jobs from {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise ConfigError(f"cannot read jobs from {path}: {error}") from error
    if isinstance(listed, Mapping) and listed.keys() == {"jobs"}:
        listed = listed["jobs"]
    if not isinstance(listed, list) or not all(isinstance(one, Mapping) for one in listed):
        raise ConfigError(f"{path} must hold a list of jobs: '- ref: me.jpg' and 'driver: a.mp4'")
    return [("job", number, row) for number, row in enumerate(listed, 1)]


def _csv_rows(path: Path, text: str) -> list[tuple[str, int, Mapping]]:
    table = csv.DictReader(io.StringIO(text), strict=True, restval="")
    rows = []
    try:
        for row in table:
            if None in row:
                raise ValueError("more cells than the header has columns")
            filled = {name.strip(): cell.strip() for name, cell in row.items() if cell.strip()}
            if filled:
                rows.append(("line", table.line_num, filled))
    except (csv.Error, ValueError) as error:
        raise ConfigError(f"{path}, line {table.line_num}: {error}") from error
    missing = {"ref", "driver"} - {name.strip() for name in table.fieldnames or ()}
    if missing:
        raise ConfigError(
            f"{path} has no column {' and no column '.join(sorted(missing))}; its first line must "
            "name the columns: ref,driver and perhaps out, weights and options of animate"
        )
    return rows


def _job(row: Mapping, where: str, base: Path, out: Path, options: Mapping[str, object]) -> Job:
    for key in ("ref", "driver"):
        if not row.get(key):
            raise ConfigError(f"{where}: lacks {key}; each job needs a ref and a driver")
    refs = row["ref"]
    if isinstance(refs, (str, Path)):
        refs = [one.strip() for one in os.fspath(refs).split(_BETWEEN_PHOTOS) if one.strip()]
    refs = refs if isinstance(refs, (list, tuple)) else [refs]
    named = [*refs, *(row[key] for key in _OWN[1:] if row.get(key) is not None)]
    if wrong := [one for one in named if not isinstance(one, (str, Path))]:
        raise ConfigError(f"{where}: needs texts for {', '.join(_OWN)}, got {shortened(wrong[0])}")
    driver = os.fspath(row["driver"])
    try:
        is_fetched = is_address(driver)
    except FetchError as error:
        raise ConfigError(f"{where}: {error}") from None
    driver = driver if is_fetched else str(base / driver)
    dance = source_key(driver) if is_fetched else Path(driver).stem
    name = row.get("out") or f"{Path(refs[0]).stem}--{dance}.mp4"
    own = {key: _typed(key, value) for key, value in row.items() if key not in _OWN}
    whole = options_from(AnimateOptions, {**options, **own}, where)
    weights = row.get("weights")
    return Job(
        refs=tuple(str(base / one) for one in refs),
        driver=driver,
        out=str(out / name),
        weights=None if weights is None else str(weights),
        options=vars(whole),
    )


def _typed(key: str, value: object) -> object:
    """A cell of a table as the option's kind; what does not fit is refused where options are."""
    kinds = {name: type(value) for name, value in vars(AnimateOptions()).items()}
    if not isinstance(value, str) or key not in kinds:
        return value
    if kinds[key] is bool:
        return _YES_NO.get(value.lower(), value)
    if kinds[key] is int and value.lstrip("-").isdecimal():
        return int(value)
    return value


def _without_clashes(jobs: Sequence[Job], where: Sequence[str]) -> list[Job]:
    """ConfigError when two would write the same file."""
    counts = Counter(os.path.realpath(job.out) for job in jobs)
    if twice := next((name for name, count in counts.items() if count > 1), None):
        both = [
            place
            for job, place in zip(jobs, where, strict=True)
            if os.path.realpath(job.out) == twice
        ]
        raise ConfigError(
            f"{both[0]} and {both[1]} would both make {Path(twice).name}; name the results in a "
            "column 'out'"
        )
    return list(jobs)


def _stamp(file: str) -> list:
    """Of a folder: of what lies in it."""
    try:
        if os.path.isdir(file):
            return [[one.name, *_stamp(one.path)] for one in sorted(os.scandir(file), key=_by_name)]
        found = os.stat(file)
    except OSError:  # the job fails, and says why
        return []
    return [found.st_size, found.st_mtime_ns]


def _by_name(entry: os.DirEntry) -> str:
    return entry.name
