"""Two folders of pictures, matched by file name without its ending: real/a.png and fake/a.jpg
are one pair."""

import os
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dancepipe.errors import BadImageError, ConfigError, DatasetError
from dancepipe.media.image import load_photo

PICTURE_ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff")
_SHOWN = 3


@dataclass(frozen=True)
class FolderPair:
    """One real picture, the same-named one of every fake folder, and its mask file if there is
    one."""

    name: str
    identity: str
    real: Path
    fakes: dict[str, Path]
    mask: Path | None


def match_folders(
    real: Path, fakes: dict[str, Path], masks: Path | None = None, identity: str | None = None
) -> list[FolderPair]:
    """Pairs in the order of names. fakes: name -> folder. identity: a regular expression as in
    EvaluateOptions.

    DatasetError for empty folders and names without a partner, ConfigError for a bad expression.
    """
    real_files = _pictures(real)
    fake_files = {}
    for name, folder in fakes.items():
        fake_files[name] = _pictures(folder)
        _same_names(real, real_files, folder, fake_files[name])
    mask_files = None
    if masks is not None:
        mask_files = _pictures(masks)
        absent = sorted(real_files.keys() - mask_files.keys())
        if absent:
            raise DatasetError(f"{masks} has no mask for {some(absent)} of {real}")
    pattern = _pattern(identity)
    return [
        FolderPair(
            stem,
            _identity(pattern, stem),
            path,
            {name: files[stem] for name, files in fake_files.items()},
            mask_files[stem] if mask_files else None,
        )
        for stem, path in sorted(real_files.items())
    ]


def load_exact(path: Path) -> np.ndarray:
    """uint8 RGB (H, W, 3). BadImageError also for what would have to be changed to be compared
    (transparency, animation)."""

    def refuse(words: str) -> None:
        raise BadImageError(
            path,
            "scores need plain pictures, and this one would be changed "
            f"({words.removeprefix(f'{path}: ')}); save it without that",
        )

    return load_photo(path, tell=refuse)


def load_pair(pair: FolderPair) -> tuple[np.ndarray, dict[str, np.ndarray], np.ndarray | None]:
    """Real picture, fakes by name, mask (uint8 (H, W)) or None. DatasetError when their sizes
    differ."""
    real = load_exact(pair.real)
    fakes = {name: load_exact(path) for name, path in pair.fakes.items()}
    mask = None if pair.mask is None else load_exact(pair.mask).max(2)
    for path, picture in [
        *((pair.fakes[name], picture) for name, picture in fakes.items()),
        (pair.mask, mask),
    ]:
        if picture is not None and picture.shape[:2] != real.shape[:2]:
            raise DatasetError(
                f"{path} has {picture.shape[1]} x {picture.shape[0]} pixels, {pair.real} has "
                f"{real.shape[1]} x {real.shape[0]}; "
                "resizing would change the scores: make them equal first"
            )
    return real, fakes, mask


def count_endings(pairs: list[FolderPair]) -> dict[str, dict[str, int]]:
    """How many pictures of each folder are .png, .jpg ...: lossy files beside lossless ones move
    FID."""
    counts = {"real": Counter(pair.real.suffix.lower() for pair in pairs)}
    for name in pairs[0].fakes:
        counts[name] = Counter(pair.fakes[name].suffix.lower() for pair in pairs)
    return {name: dict(sorted(count.items())) for name, count in counts.items()}


def _pictures(folder: Path) -> dict[str, Path]:
    folder = Path(folder)
    if not os.path.isdir(folder):
        raise DatasetError(f"no folder at {folder}; give a folder of pictures")
    files: dict[str, Path] = {}
    for path in sorted(folder.rglob("*")):
        if (
            path.is_file()
            and path.suffix.lower() in PICTURE_ENDINGS
            and not path.name.startswith(".")
        ):
            stem = path.relative_to(folder).with_suffix("").as_posix()
            if stem in files:
                raise DatasetError(
                    f"{folder} has both {files[stem].name} and {path.name}; names must differ in "
                    "more than their endings"
                )
            files[stem] = path
    if not files:
        raise DatasetError(
            f"no pictures in {folder}; need files ending in {', '.join(PICTURE_ENDINGS)}"
        )
    return files


def _same_names(real: Path, real_files: dict, fake: Path, fake_files: dict) -> None:
    only_real, only_fake = (
        sorted(real_files.keys() - fake_files.keys()),
        sorted(fake_files.keys() - real_files.keys()),
    )
    if only_real or only_fake:
        parts = [
            f"{some(names)} only in {folder}"
            for names, folder in ((only_real, real), (only_fake, fake))
            if names
        ]
        raise DatasetError(
            f"{len(real_files)} pictures in {real}, {len(fake_files)} in {fake}, and names "
            f"differ: {'; '.join(parts)}"
        )


def some(names: list[str]) -> str:
    """The first of many names, and how many more there are."""
    return ", ".join(names[:_SHOWN]) + (
        f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    )


def _pattern(identity: str | None) -> re.Pattern | None:
    if identity is None:
        return None
    try:
        pattern = re.compile(identity)
    except re.error as error:
        raise ConfigError(f"--identity '{identity}' is no regular expression: {error}") from error
    if pattern.groups < 1:
        raise ConfigError(
            f"--identity '{identity}' has no group; put the part that names the person in "
            "brackets, as in '^(id_\\d+)'"
        )
    return pattern


def _identity(pattern: re.Pattern | None, stem: str) -> str:
    if pattern is None:
        return stem
    found = pattern.search(stem)
    if not found or not found.group(1):
        raise ConfigError(f"--identity '{pattern.pattern}' finds no person in the name '{stem}'")
    return found.group(1)
