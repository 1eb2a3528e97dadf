"""Another shot is told from a fast dance, a pan and a fade."""

import numpy as np
import pytest
from figure import draw_figure, standing_pose
from people import dancer_frames
from PIL import Image

from dancepipe.person.cuts import CutDetector

STREET, STAGE = (
    np.asarray(
        Image.fromarray(np.random.default_rng(seed).integers(0, 255, (6, 9, 3), np.uint8)).resize(
            (640, 360)
        )
    )
    for seed in (1, 2)
)


def cuts(pictures) -> list[int]:
    detector = CutDetector()
    return [index for index, picture in enumerate(pictures) if detector.is_cut(picture)]


def faded(picture: np.ndarray, frames: int = 20) -> list[np.ndarray]:
    return [(picture * (step / frames)).astype(np.uint8) for step in range(frames, -1, -1)]


NOT_CUT = {
    "a dance": dancer_frames()[:40],
    "a jump before a wall": [
        draw_figure(standing_pose((x, 50), 270), (640, 360)) for x in (100, 100, 500, 500, 100)
    ],
    "a pan": [np.roll(STREET, 30 * step, axis=1) for step in range(15)],
    "a fade to black": faded(STREET),
    "a still picture": [STREET] * 5,
}


@pytest.mark.parametrize("kind", NOT_CUT)
def test_no_cut(kind):
    assert cuts(NOT_CUT[kind]) == []


@pytest.mark.parametrize("light", [1, 0.15])
def test_cuts_in_bright_and_dark_pictures(light):
    shots = [(picture * light).astype(np.uint8) for picture in (STREET, STAGE)]
    assert cuts([shots[0]] * 5 + [shots[1]] * 5 + [shots[0]] * 5) == [5, 10]


def test_small_pictures_do():
    assert cuts([STAGE[:8, :300]] * 2 + [STREET[:8, :300]] * 2) == [2]
