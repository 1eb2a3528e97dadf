"""Which pictures are shown: folders matched by file name, checked before the first volunteer
comes."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from dancepipe.errors import BadImageError, StudyError
from dancepipe.media.image import PICTURE_SUFFIXES, load_photo
from dancepipe.study.plan import LONGEST_METHOD, MOST_METHODS

log = logging.getLogger(__name__)

REAL = ""  # stands where a method's name stands otherwise; no method can be called so


@dataclass(frozen=True)
class MatchedPictures:
    """Pictures of the same name in every folder. `files` is (method or REAL, name) -> file;
    `names` are sorted, without ending."""

    methods: tuple[str, ...]
    names: tuple[str, ...]
    files: Mapping[tuple[str, str], Path]


def named_folders(arguments: Iterable[str]) -> dict[str, Path]:
    """["ours=results/a", ...] -> {"ours": Path("results/a"), ...}. StudyError for anything else
    and for a name given twice."""
    folders: dict[str, Path] = {}
    for argument in arguments:
        name, equals, folder = argument.partition("=")
        if not equals or not folder:
            raise StudyError(
                f"'{argument}' is no named folder; write NAME=FOLDER, for example ours=results/ours"
            )
        if name in folders:
            raise StudyError(f"two folders are called '{name}'; give each method its own name")
        folders[name] = Path(folder)
    return folders


def list_pictures(folder: Path) -> dict[str, Path]:
    """The picture files directly in a folder: name without ending -> file. StudyError where
    there is none or a name is double."""
    folder = Path(folder)
    try:
        files = sorted(
            path for path in folder.iterdir() if path.is_file() and not path.name.startswith(".")
        )
    except FileNotFoundError:
        raise StudyError(f"no folder at {folder}; name a folder of pictures") from None
    except OSError as error:
        raise StudyError(
            f"cannot look into {folder}: {error.strerror or error}; name a folder of pictures"
        ) from error
    found: dict[str, Path] = {}
    for path in files:
        if path.suffix.lower() in PICTURE_SUFFIXES:
            if any("\ud800" <= sign <= "\udfff" for sign in path.name):
                raise StudyError(
                    f"{folder} has a picture called {ascii(path.name)}, which is no UTF-8 text; "
                    "rename it"
                )
            if path.stem in found:
                raise StudyError(
                    f"{folder} has both {found[path.stem].name} and {path.name}; pictures are "
                    "matched by name without ending, keep one"
                )
            found[path.stem] = path
    if not found:
        raise StudyError(
            f"no pictures in {folder} ({len(files)} other files, subfolders are not searched); "
            "it needs files such as name.png"
        )
    if len(found) < len(files):
        log.warning(
            f"{folder}: {len(files) - len(found)} files that are no pictures by their ending are "
            "left out"
        )
    return found


def match_pictures(real: Path, fakes: Mapping[str, Path], common: bool = False) -> MatchedPictures:
    """Pictures of `real` and of every folder in `fakes` (method -> folder) with the same name; the
    ending may differ.

    Names that are not in all folders are an error, or with `common` are left out, which is said.
    Raises StudyError.
    """
    if not fakes:
        raise StudyError("no folder of made pictures; give at least one as NAME=FOLDER")
    if len(fakes) > MOST_METHODS:
        raise StudyError(
            f"{len(fakes)} folders of made pictures; at most {MOST_METHODS} fit into one study"
        )
    for method, folder in fakes.items():
        if not method or len(method) > LONGEST_METHOD or not method.isprintable():
            raise StudyError(
                f"a method's name needs 1 to {LONGEST_METHOD} printable characters, got {method!r}"
            )
        if Path(folder).resolve() == Path(real).resolve():
            raise StudyError(
                f"the pictures of '{method}' are the real ones ({folder}); name the folder of "
                "the made pictures"
            )
    methods = tuple(sorted(fakes))
    folders = {REAL: list_pictures(real)} | {
        method: list_pictures(fakes[method]) for method in methods
    }
    names = sorted(set.intersection(*(set(files) for files in folders.values())))
    differences = [
        text for method in methods for text in _differences(folders[REAL], folders[method], method)
    ]
    if not names:
        raise StudyError(
            f"no name is in all folders ({'; '.join(differences)}); pictures are matched by file "
            "name without ending"
        )
    if differences and not common:
        raise StudyError(
            f"names do not match: {'; '.join(differences)}; add the missing ones, or show the "
            f"{len(names)} common ones with --common"
        )
    if differences:
        log.info(
            f"{len(names)} names are common to all folders and are used: {'; '.join(differences)}"
        )
    files = {(method, name): folders[method][name] for method in folders for name in names}
    return MatchedPictures(methods, tuple(names), files)


def check_pairs(matched: MatchedPictures, shrink: bool) -> None:
    """Read every picture once, so that no volunteer meets a broken one. Raises BadImageError,
    StudyError (sizes).

    Pictures of a pair must have the same size: a size that differs tells which one is real. With
    `shrink` the same shape is enough.
    """
    remarks: list[str] = []
    for name in matched.names:
        real_wh = _size_wh(matched.files[REAL, name], remarks.append)
        for method in matched.methods:
            path = matched.files[method, name]
            wh = _size_wh(path, remarks.append)
            if wh == real_wh:
                continue
            sizes = f"{path} is {wh[0]}x{wh[1]}, the real one {real_wh[0]}x{real_wh[1]}"
            if not shrink:
                raise StudyError(
                    f"{sizes}: the size would tell which one is real; make them equal, or shrink "
                    "the larger one with --shrink"
                )
            if abs(wh[0] * real_wh[1] / (wh[1] * real_wh[0]) - 1) > 0.01:
                raise StudyError(
                    f"{sizes}: their shapes differ, shrinking cannot make them equal; crop them "
                    "alike"
                )
    if remarks:
        log.info(
            remarks[0]
            + (f" (and {len(remarks) - 1} more remarks of this kind)" if len(remarks) > 1 else "")
        )


def load_pair(matched: MatchedPictures, method: str, name: str) -> tuple[np.ndarray, np.ndarray]:
    """The real and the made picture, uint8 RGB (H, W, 3) of one size: the smaller one's. Raises
    BadImageError."""
    real, made = (
        load_photo(matched.files[key, name], lambda words: None) for key in (REAL, method)
    )
    if real.shape == made.shape:
        return real, made
    height, width = min(real.shape[:2], made.shape[:2], key=lambda shape: shape[0] * shape[1])
    shrunk = [
        np.asarray(Image.fromarray(picture).resize((width, height), Image.Resampling.LANCZOS))
        for picture in (real, made)
    ]
    return shrunk[0], shrunk[1]


def digest_files(matched: MatchedPictures) -> dict[tuple[str, str], str]:
    """SHA-256 of every picture file, to know whether a database of votes is about these
    pictures. Raises BadImageError."""
    digests = {}
    for key, path in matched.files.items():
        try:
            digests[key] = hashlib.sha256(path.read_bytes()).hexdigest()
        except OSError as error:
            raise BadImageError(path, error.strerror or str(error)) from error
    return digests


def _differences(real: Mapping[str, Path], made: Mapping[str, Path], method: str) -> list[str]:
    texts = []
    for lacking, of, where in (
        (real.keys() - made.keys(), "real", f"'{method}'"),
        (made.keys() - real.keys(), f"'{method}'", "real"),
    ):
        if lacking:
            total = len(real if of == "real" else made)
            texts.append(
                f"{len(lacking)} of {total} {of} pictures are not in {where} (such as "
                f"{min(lacking)})"
            )
    return texts


def _size_wh(path: Path, tell: Callable[[str], None]) -> tuple[int, int]:
    height, width = load_photo(path, tell).shape[:2]
    return width, height
