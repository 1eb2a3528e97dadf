"""A look at a data set: what is in it, whether it is whole, and some of its pictures."""

import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from PIL import Image

from dancepipe.data.store import SPLITS, clip_files, open_clip, read_columns, read_row
from dancepipe.errors import DatasetError
from dancepipe.files.whole_file import write_bytes

_TILE_PX, _COLUMNS, _ROWS = 128, 10, 6
_MOST_LOOKED_AT = 600


@dataclass(frozen=True)
class DatasetFacts:
    """What is in a data set."""

    files: int
    pictures: dict[str, int]  # split -> rows
    people: dict[str, int]
    in_both_splits: list[str]  # people; none in a sound data set
    looked_at: int  # rows whose pictures were decoded
    broken: list[str] = field(default_factory=list)  # what is wrong, where

    def text(self) -> str:
        lines = [f"{self.files} files"]
        for split in SPLITS:
            if self.pictures.get(split):
                lines.append(
                    f"{split}: {self.pictures[split]} pictures of {self.people[split]} people"
                )
        if self.in_both_splits:
            lines.append(f"people in both splits: {', '.join(self.in_both_splits[:10])}")
        lines.append(f"{self.looked_at} rows looked at, {len(self.broken)} broken")
        return "\n".join([*lines, *(f"  {one}" for one in self.broken[:20])])


def inspect_dataset(
    folder: Path, *, sheet: Path | None = None, all_rows: bool = False
) -> DatasetFacts:
    """DatasetFacts of the data set in `folder`; every file is opened, the pictures of at most 600
    rows, spread over all, are decoded (all_rows: of every one).

    sheet: a contact sheet to write (JPEG), of those pictures. DatasetError when there is no data
    set, OutputError.
    """
    broken: list[str] = []
    places: list[tuple[Path, int]] = []
    pictures: dict[str, int] = {split: 0 for split in SPLITS}
    people: dict[str, set[str]] = {split: set() for split in SPLITS}
    files = clip_files(folder)
    for path in files:
        try:
            rows = list(read_columns(path, ["identity", "split"]))
        except DatasetError as error:
            broken.append(str(error))
            continue
        for row, values in enumerate(rows):
            if values["split"] not in SPLITS or values["split"] != path.parent.name:
                broken.append(f"{path}, row {row}: split is {values['split']!r}")
                continue
            pictures[values["split"]] += 1
            people[values["split"]].add(values["identity"])
            places.append((path, row))
    chosen = places
    if not all_rows and len(places) > _MOST_LOOKED_AT:
        spread = np.linspace(0, len(places) - 1, _MOST_LOOKED_AT)
        chosen = [places[round(place)] for place in spread]
    shown: list[np.ndarray] = []
    every = max(1, len(chosen) // (_COLUMNS * _ROWS))
    opened, at = None, None
    for number, (path, row) in enumerate(chosen):
        try:
            if path != at:
                opened, at = open_clip(path), path
            assert opened is not None
            entry = read_row(opened, path, row)
        except DatasetError as error:
            broken.append(str(error))
            continue
        if number % every == 0 and len(shown) < _COLUMNS * _ROWS:
            shown.append(entry.image)
    if sheet is not None:
        _write_sheet(sheet, shown)
    both = sorted(people[SPLITS[0]] & people[SPLITS[1]])
    counts = {split: len(found) for split, found in people.items()}
    return DatasetFacts(len(files), pictures, counts, both, len(chosen), broken)


def _write_sheet(path: Path, pictures: list[np.ndarray]) -> None:
    rows = max(1, -(-len(pictures) // _COLUMNS))
    sheet = Image.new("RGB", (_COLUMNS * _TILE_PX, rows * _TILE_PX), "white")
    for number, picture in enumerate(pictures):
        tile = Image.fromarray(picture)
        tile.thumbnail((_TILE_PX, _TILE_PX))
        sheet.paste(tile, (number % _COLUMNS * _TILE_PX, number // _COLUMNS * _TILE_PX))
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=85)
    write_bytes(path, data.getvalue())
