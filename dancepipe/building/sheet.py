"""A contact sheet a source: some of what was kept, and of what was dropped, with the reason."""

import io
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from dancepipe.files.whole_file import write_bytes

TILE_PX, _COLUMNS, _TEXT_PX = 96, 12, 12
_MOST = 36


def write_sheet(path: Path, tiles: list[tuple[str, np.ndarray]]) -> None:
    """tiles: a caption and uint8 RGB (S, S, 3) each; the first 36 are shown. JPEG. OutputError."""
    tiles = tiles[:_MOST]
    rows = max(1, -(-len(tiles) // _COLUMNS))
    columns = max(1, min(_COLUMNS, len(tiles)))
    sheet = Image.new("RGB", (columns * TILE_PX, rows * (TILE_PX + _TEXT_PX)), "white")
    draw = ImageDraw.Draw(sheet)
    for number, (caption, picture) in enumerate(tiles):
        x, y = number % _COLUMNS * TILE_PX, number // _COLUMNS * (TILE_PX + _TEXT_PX)
        tile = Image.fromarray(picture).resize((TILE_PX, TILE_PX), Image.Resampling.BOX)
        sheet.paste(tile, (x, y + _TEXT_PX))
        draw.text((x + 2, y), caption, fill="black")
    data = io.BytesIO()
    sheet.save(data, "JPEG", quality=80)
    write_bytes(path, data.getvalue())


def sheet_path(out: Path, clip: str) -> Path:
    """Where the sheet of a source lies; clip: the name of its file without the suffix."""
    return Path(out) / "sheets" / f"{clip}.jpg"
