"""What a network said about real pictures, kept between runs: one file per network, rows found
by the picture's SHA-256."""

import hashlib
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np

from dancepipe.errors import OutputError
from dancepipe.files.lock import lock_file
from dancepipe.files.npz_file import read_npz
from dancepipe.files.whole_file import WholeFile, make_folder

log = logging.getLogger(__name__)

MOST_ROWS = 60_000  # 490 MB of Inception features
_MOST_BYTES = 700 << 20
_DIGEST_BYTES = 32


def picture_digests(pictures: np.ndarray) -> list[bytes]:
    """SHA-256 of each uint8 picture (N, H, W, 3), its shape included."""
    return [
        hashlib.sha256(
            repr(picture.shape).encode() + np.ascontiguousarray(picture).tobytes()
        ).digest()
        for picture in pictures
    ]


class FeatureCache:
    """Rows of float32 numbers of one network. folder None: nothing is kept."""

    def __init__(self, folder: Path | None, network: str):
        """network: its identity, weights and preprocessing included; another identity is another
        file."""
        self._path = None
        self._rows: dict[bytes, np.ndarray] = {}
        self._is_new = False
        if folder is not None:
            self._path = Path(folder) / (hashlib.sha256(network.encode()).hexdigest()[:16] + ".npz")
            self._load(self._path)

    def _load(self, path: Path) -> None:
        try:
            found = read_npz(path, ("digests", "rows"), _MOST_BYTES)
            digests, rows = found["digests"], found["rows"]
            if digests.dtype != np.uint8 or digests.ndim != 2 or digests.shape[1] != _DIGEST_BYTES:
                raise ValueError("it holds no digests")
            if rows.dtype != np.float32 or rows.ndim != 2 or len(rows) != len(digests):
                raise ValueError("it holds no row of numbers for each digest")
            self._rows = {digest.tobytes(): row for digest, row in zip(digests, rows, strict=True)}
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning(f"cached features {path} cannot be read ({error}); made anew")

    def rows(self, digests: list[bytes], make: Callable[[list[int]], np.ndarray]) -> np.ndarray:
        """(N, D) of N pictures; make(indices) gives the rows of those that are not there yet."""
        absent = [i for i, digest in enumerate(digests) if digest not in self._rows]
        if absent:
            for i, row in zip(absent, np.asarray(make(absent), np.float32), strict=True):
                self._rows[digests[i]] = row
            self._is_new = True
        return np.stack([self._rows[digest] for digest in digests])

    def save(self) -> None:
        """Write what is new; a folder that cannot be written is said and costs only time."""
        if self._path is None or not self._is_new:
            return
        own = dict(self._rows)
        try:
            make_folder(self._path.parent, private=True)
            with lock_file(self._path):
                self._load(self._path)  # another run may have added to it meanwhile
                self._rows |= own
                newest = list(self._rows.items())[-MOST_ROWS:]
                with (
                    WholeFile(self._path, overwrite=True, private=True) as whole,
                    open(whole.part, "wb") as file,
                ):
                    np.savez(
                        file,
                        digests=np.stack([np.frombuffer(digest, np.uint8) for digest, _ in newest]),
                        rows=np.stack([row for _, row in newest]),
                    )
        except OutputError as error:
            log.warning(f"features cannot be kept: {error}")
