"""Back into the frame: exact colours, exact place, nothing of the canvas but the person."""

import numpy as np
import pytest

from dancepipe.person.crop import crop_square
from dancepipe.person.cutout import on_grey
from dancepipe.records import GREY
from dancepipe.rendering.background import covering, painted_out, resized
from dancepipe.rendering.composite import paste, premultiplied


def person(size_px=128, colour=(200, 40, 90)):
    """(picture on grey, matte): a soft disc."""
    y, x = np.mgrid[:size_px, :size_px] - (size_px - 1) / 2
    matte = np.clip((size_px * 0.3 - np.hypot(x, y)) * 64 + 128, 0, 255).astype(np.uint8)
    return on_grey(np.full((size_px, size_px, 3), colour, np.uint8), matte), matte


@pytest.mark.parametrize("background", [(255, 255, 255), (0, 0, 0), (10, 200, 30)])
def test_the_person_keeps_its_colour_on_any_background_and_the_background_its_own(background):
    frame = np.full((128, 128, 3), background, np.uint8)
    paste(frame, premultiplied(*person()), (-0.5, -0.5, 127.5, 127.5))
    assert np.abs(frame[64, 64].astype(int) - (200, 40, 90)).max() <= 1
    assert (frame[:20] == background).all() and (frame[-20:] == background).all()


def test_a_faint_matte_everywhere_leaves_no_square():
    picture, matte = person()
    faint = np.maximum(matte, 10)
    frame = np.full((128, 128, 3), 255, np.uint8)
    paste(frame, premultiplied(picture, faint), (-0.5, -0.5, 127.5, 127.5))
    assert (frame[:20] == 255).all()


def test_a_matte_at_the_canvas_border_leaves_no_line():
    picture, matte = person()
    matte[:2], matte[:, :2], picture[:2], picture[:, :2] = 255, 255, 0, 0
    frame = np.full((160, 160, 3), 255, np.uint8)
    paste(frame, premultiplied(picture, matte), (15.5, 15.5, 143.5, 143.5))
    assert frame[:40].min() > 100 and (frame[:16] == 255).all()


@pytest.mark.parametrize(
    "box", [(10.5, 20.5, 138.5, 148.5), (10.2, 20.9, 266.2, 276.9), (30.25, 40.75, 94.25, 104.75)]
)
def test_pasting_undoes_cropping(box):
    """A smooth picture cropped by crop_square and pasted back lies where it was, at any scale
    and fraction of a pixel."""
    y, x = np.mgrid[:300, :300]
    scene = np.stack(
        [128 + 80 * np.sin(x / 17), 128 + 80 * np.cos(y / 23), 128 + 60 * np.sin((x + y) / 31)], -1
    ).astype(np.uint8)
    crop = crop_square(scene, box, 128, fill=GREY)
    frame = np.zeros_like(scene)
    paste(frame, premultiplied(crop, np.full((128, 128), 255, np.uint8)), box)
    x0, y0, x1, y1 = (round(edge) for edge in box)
    inner = np.s_[y0 + 12 : y1 - 12, x0 + 12 : x1 - 12]
    error = np.abs(frame[inner].astype(int) - scene[inner])
    assert error.mean() < 1.5 and error.max() < 12


def test_partly_and_wholly_outside_the_frame():
    frame = np.full((60, 80, 3), 255, np.uint8)
    paste(frame, premultiplied(*person(64)), (-30.0, -30.0, 34.0, 34.0))
    assert frame[0, 0].tolist() != [255, 255, 255]
    untouched = frame.copy()
    paste(frame, premultiplied(*person(64)), (200.0, 200.0, 264.0, 264.0))
    assert np.array_equal(frame, untouched)


def test_painting_out_removes_the_person_and_keeps_the_place():
    place = np.full((200, 300, 3), (90, 140, 190), np.uint8)
    place[150:] = (60, 100, 40)
    mask = np.zeros((200, 300), np.uint8)
    mask[40:190, 120:180] = 255
    picture = place.copy()
    picture[mask > 0] = (250, 10, 10)
    filled = painted_out(picture, mask).astype(int)
    assert np.abs(filled[mask > 0] - place[mask > 0]).mean() < 15
    assert np.array_equal(filled[:, :80], place[:, :80])
    assert np.array_equal(painted_out(picture, None), picture) and np.array_equal(
        painted_out(picture, np.zeros_like(mask)), picture
    )


def test_covering_fills_the_frame_without_distortion():
    y, x = np.mgrid[:100, :200]
    circle = (
        np.where(np.hypot(x - 100, y - 50)[..., None] < 15, 255, 0).astype(np.uint8).repeat(3, 2)
    )
    covered = covering(circle, (90, 160))
    assert covered.shape == (160, 90, 3)
    rows, columns = (np.flatnonzero((covered[..., 0] > 127).any(axis)) for axis in (1, 0))
    assert abs(np.ptp(rows) - np.ptp(columns)) <= 1
    assert resized(circle, (200, 100)) is circle
