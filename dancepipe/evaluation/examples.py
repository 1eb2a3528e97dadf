"""The pairs that a report shows: the worst and the best of the first method."""

import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from dancepipe.evaluation.measures import MEASURES

_RANKING = ("lpips", "ssim_box", "ssim", "l1_box", "l1", "psnr", "pre")
_SIDE_PX = 256


@dataclass(frozen=True)
class Example:
    """One row of the report: pictures as PNG bytes under their titles."""

    title: str
    kind: str  # "worst", "best", or "frame"
    pictures: dict[str, bytes]
    values: dict[str, float]  # of the first method


class ExampleBook:
    """Keeps the pictures of the worst and the best pairs seen so far."""

    def __init__(self, keep: int):
        self._keep, self._seen = keep, 0
        self._entries: list[tuple[float, int, str, dict[str, np.ndarray], dict[str, float]]] = []

    def look_at(
        self, names: list[str], pictures: dict[str, np.ndarray], scores: dict[str, np.ndarray]
    ) -> None:
        """One batch. pictures: title -> uint8 (B, H, W, 3); scores of the first method: measure
        -> (B,)."""
        first = self._seen
        self._seen += len(names)
        ranked = next((name for name in _RANKING if name in scores), None)
        if ranked is None or not self._keep:
            return
        for i, name in enumerate(names):
            badness = float(scores[ranked][i]) * (1 if MEASURES[ranked].better == "lower" else -1)
            if np.isfinite(badness):
                values = {
                    key: float(value[i]) for key, value in scores.items() if np.isfinite(value[i])
                }
                self._entries.append(
                    (
                        badness,
                        first + i,
                        name,
                        {title: picture[i] for title, picture in pictures.items()},
                        values,
                    )
                )
        self._entries.sort(key=lambda entry: entry[:2])
        if len(self._entries) > 2 * self._keep:
            self._entries = self._entries[: self._keep] + self._entries[-self._keep :]

    def examples(self) -> list[Example]:
        """The worst first, then the best ones."""
        half = min(self._keep, len(self._entries) // 2)
        chosen = [("worst", entry) for entry in self._entries[::-1][:half]] + [
            ("best", entry) for entry in self._entries[: half or 1]
        ]
        return [
            Example(
                name,
                kind,
                {title: small_png(picture) for title, picture in pictures.items()},
                values,
            )
            for kind, (_, _, name, pictures, values) in chosen
        ]


def small_png(picture: np.ndarray) -> bytes:
    """A PNG of at most 256 px on the longer side."""
    image = Image.fromarray(picture)
    image.thumbnail((_SIDE_PX, _SIDE_PX))
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return buffer.getvalue()
