"""A person of a picture becomes a body, and is drawn in other poses."""

import numpy as np
import pytest
from mesh_photo import part_map
from test_posing import MIDDLE_PX, TORSO_PX, at_rest

from dancepipe.body.mesh import PARTS, Part
from dancepipe.body.reference import _without_slits, shared_drawer
from dancepipe.body.shading import DIFFUSED, MIRRORED, SEEN
from dancepipe.records import GREY

SIZE_HW = (600, 400)


@pytest.fixture(scope="module")
def painted():
    """(image, mask): the mesh at rest, seen from the front, each part in a colour of its own."""
    part = part_map(at_rest(), TORSO_PX, SIZE_HW)
    image = np.full((*SIZE_HW, 3), GREY, np.uint8)
    for number in range(len(PARTS)):
        image[part == number] = colour_of(number)
    return image, np.where(part >= 0, 255, 0).astype(np.uint8)


def colour_of(number: int) -> np.ndarray:
    """The same on both sides of the body."""
    name = PARTS[number].value.split("_")
    kind = sorted({part.value.removesuffix("_left").removesuffix("_right") for part in PARTS})
    place = kind.index("_".join(word for word in name if word not in ("left", "right")))
    return np.random.default_rng(place + 3).integers(0, 256, 3).astype(np.uint8)


def test_in_its_own_pose_the_picture_is_what_it_was(painted):
    image, mask = painted
    drawer = shared_drawer()
    reference = drawer.fit(image, mask, at_rest(), TORSO_PX)
    drawn = drawer.draw(reference, at_rest(), TORSO_PX, SIZE_HW)
    inside = (mask > 0) & (drawn.alpha > 0.99)
    assert inside.sum() > 0.9 * (mask > 0).sum()
    off = np.abs(drawn.on_grey().astype(float) - image)[inside].max(1)
    assert np.quantile(off, 0.85) < 6  # rims of parts take the colours beside
    assert (drawn.alpha > 0.5).sum() == pytest.approx((mask > 0).sum(), rel=0.06)
    assert (
        np.median(
            np.abs(drawn.source - np.mgrid[: SIZE_HW[0], : SIZE_HW[1]][::-1].transpose(1, 2, 0))[
                inside
            ]
        )
        < 0.5
    )


def test_a_large_photo_keeps_its_fine_detail(painted):
    """The body is fitted to a small copy; its colours are the photo's own pixels."""
    image, mask = painted
    stripes = np.where(np.arange(SIZE_HW[0]) // 2 % 2, 30, -30)[:, None, None]  # two px each
    striped = np.clip(image.astype(int) + stripes, 0, 255).astype(np.uint8)
    drawer = shared_drawer()
    drawn = drawer.draw(
        drawer.fit(striped, mask, at_rest(), TORSO_PX), at_rest(), TORSO_PX, SIZE_HW
    )
    chest = np.s_[250:290, 185:215]
    made, real = (
        np.diff(picture[chest].astype(float).mean((1, 2))) for picture in (drawn.on_grey(), striped)
    )
    assert np.corrcoef(made, real)[0, 1] > 0.9 and made.std() > 0.6 * real.std()


def test_beyond_the_box_there_is_nothing(painted):
    image, mask = painted
    drawer = shared_drawer()
    reference = drawer.fit(image, mask, at_rest(), TORSO_PX)
    moved = at_rest()
    moved[:, 0] += 250  # half of the body is outside
    drawn = drawer.draw(reference, moved, TORSO_PX, SIZE_HW)
    beyond = np.ones(SIZE_HW, bool)
    beyond[drawn.there] = False
    assert (drawn.alpha > 0).sum() > 1000 and not drawn.alpha[beyond].any()
    assert (drawn.on_grey()[beyond] == GREY).all() and not drawn.matte()[beyond].any()
    moved[:, 0] += 1000
    assert not drawer.draw(reference, moved, TORSO_PX, SIZE_HW).alpha.any()


def test_a_raised_arm_keeps_its_colours_and_covers_what_is_behind_it(painted):
    image, mask = painted
    drawer = shared_drawer()
    reference = drawer.fit(image, mask, at_rest(), TORSO_PX)
    raised = at_rest()
    shoulder = raised[11].copy()
    for point in (13, 15, 17, 19, 21):  # the left arm straight up
        away = np.hypot(*(raised[point, :2] - shoulder[:2]))
        raised[point, :3] = shoulder[:3] - [0, away, 0]
    drawn = drawer.draw(reference, raised, TORSO_PX, SIZE_HW)
    x, y = raised[15, :2].round().astype(int)
    forearm = colour_of(PARTS.index(Part.FOREARM_LEFT))
    near = drawn.on_grey()[y + 12 : y + 30, x - 4 : x + 5].reshape(-1, 3)
    assert np.median(np.abs(near - forearm.astype(float)).max(1)) < 25
    hung = at_rest()[15, :2].round().astype(int)
    assert drawn.alpha[hung[1], hung[0]] == 0


def test_a_back_is_made_of_what_the_front_does_not_show(painted):
    image, mask = painted
    drawer = shared_drawer()
    reference = drawer.fit(image, mask, at_rest(), TORSO_PX)
    turned = at_rest()
    turned[:, 0] = 2 * MIDDLE_PX[0] - turned[:, 0]
    turned[:, 2] = -turned[:, 2]
    drawn = drawer.draw(reference, turned, TORSO_PX, SIZE_HW)
    body = drawn.kind > 0
    assert (drawn.kind[body] == SEEN).mean() < 0.25
    face = turned[0, :2].round().astype(int)
    assert drawn.kind[face[1], face[0]] == DIFFUSED
    torso = colour_of(PARTS.index(Part.TORSO))
    middle = (turned[[11, 12, 23, 24], :2].mean(0)).round().astype(int)
    assert np.abs(drawn.on_grey()[middle[1], middle[0]] - torso.astype(float)).max() < 25


def test_what_one_side_hides_comes_from_the_other(painted):
    image, mask = painted
    half_hidden, half_mask = image.copy(), mask.copy()
    left = slice(int(MIDDLE_PX[0]) + 55, None)  # the left arm is out of the picture's mask
    half_hidden[:, left], half_mask[:, left] = GREY, 0
    drawer = shared_drawer()
    reference = drawer.fit(half_hidden, half_mask, at_rest(), TORSO_PX)
    drawn = drawer.draw(reference, at_rest(), TORSO_PX, SIZE_HW)
    x, y = ((at_rest()[13, :2] + at_rest()[15, :2]) / 2).round().astype(int)
    around = drawn.kind[y - 3 : y + 4, x - 3 : x + 4]
    assert set(np.unique(around)) <= {0, SEEN, MIRRORED, DIFFUSED}
    assert np.isfinite(drawn.colour).all()


def test_drawing_twice_gives_the_same_bytes(painted):
    image, mask = painted
    drawer = shared_drawer()
    first, again = (
        drawer.draw(drawer.fit(image, mask, at_rest(), TORSO_PX), at_rest(), TORSO_PX, SIZE_HW)
        for _ in range(2)
    )
    np.testing.assert_array_equal(first.on_grey(), again.on_grey())


@pytest.mark.parametrize("share", [0.0, 0.002, 1.0])
def test_masks_that_show_nothing_or_everything_give_a_picture(share):
    rng = np.random.default_rng(5)
    image = rng.integers(0, 256, (128, 128, 3)).astype(np.uint8)
    mask = np.where(rng.random((128, 128)) < share, 255, 0).astype(np.uint8)
    landmarks = at_rest()
    landmarks[:, :3] = landmarks[:, :3] * 0.2 + [20, 0, 0]
    drawer = shared_drawer()
    reference = drawer.fit(image, mask, landmarks, TORSO_PX * 0.2)
    drawn = drawer.draw(reference, landmarks, TORSO_PX * 0.2, (128, 128))
    assert np.isfinite(drawn.colour).all() and (drawn.alpha > 0).any()


def test_slits_are_closed_and_half_open_rims_stay_as_they_are():
    """A rim of .4 closed by its neighbours was a grey block beside a knee."""
    alpha = np.zeros((40, 40), np.float32)
    alpha[5:35, 5:30] = 1
    alpha[5:35, 15:17] = 0  # between two opaque sides
    alpha[5:35, 26:30] = 0.4
    alpha[18:22, 26:30] = 0.1
    closed = _without_slits(alpha, np.zeros((80, 80), np.int32), 5)  # the mesh is everywhere
    assert closed[10:30, 15:17].min() > 0.9
    np.testing.assert_allclose(closed[:, 28:], alpha[:, 28:], atol=0.01)
