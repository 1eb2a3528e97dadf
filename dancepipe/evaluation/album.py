"""The pictures of the test pairs as files: real/0000_anna.png beside network/0000_anna.png, as
--real and --fake and study want them."""

import re
from pathlib import Path

import numpy as np

from dancepipe.errors import OutputError
from dancepipe.files.lock import is_lock
from dancepipe.media.image import save_png


class Album:
    """One folder of PNG files for the real pictures and one for each method, numbered in the
    order of the pairs."""

    def __init__(self, folder: Path):
        """OutputError where there is something already: pictures of two runs must not be mixed."""
        self._folder, self._count = Path(folder), 0
        if self._folder.exists() and (
            not self._folder.is_dir() or any(not is_lock(entry) for entry in self._folder.iterdir())
        ):
            raise OutputError(
                f"{self._folder} is not an empty folder; name a new one for the pictures"
            )

    def _place(self, folder: str, name: str) -> Path:
        place = self._folder / folder / name
        try:
            place.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make {place.parent}: {error.strerror or error}; name another folder for "
                "the pictures"
            ) from error
        return place

    def add(self, identities: list[str], pictures: dict[str, np.ndarray]) -> None:
        """One batch: the person of each pair, and folder -> uint8 RGB (B, H, W, 3). OutputError."""
        for place, identity in enumerate(identities):
            name = f"{self._count:04}_{re.sub(r'[^A-Za-z0-9.-]+', '-', identity)}.png"
            for folder, batch in pictures.items():
                save_png(self._place(folder, name), batch[place])
            self._count += 1
