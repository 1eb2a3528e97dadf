import numpy as np
import pytest
from figure import draw_figure, standing_pose

from dancepipe.person.crop import body_bounds, crop_square, person_box, pose_from_box, pose_in_box
from dancepipe.pose.skeleton import L_ANKLE, R_ANKLE
from dancepipe.records import Pose


def spot_picture(x, y, size_wh=(90, 70), sigma=2.5):
    rows, columns = np.mgrid[: size_wh[1], : size_wh[0]]
    spot = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / (2 * sigma**2))
    return np.repeat((spot * 250)[..., None], 3, 2).astype(np.uint8)


def middle_of(picture):
    weight = picture[..., 0].astype(float)
    rows, columns = np.mgrid[: picture.shape[0], : picture.shape[1]]
    return (columns * weight).sum() / weight.sum(), (rows * weight).sum() / weight.sum()


@pytest.mark.parametrize("size_px", [16, 37, 128])  # shrinking and growing
@pytest.mark.parametrize("corner", [(12.0, 9.0), (11.3, 8.6)])
def test_a_spot_lands_where_its_joint_lands(size_px, corner):
    box = (*corner, corner[0] + 52.0, corner[1] + 52.0)
    canvas = crop_square(spot_picture(38.4, 31.7), box, size_px, fill=0)
    pose = pose_in_box(Pose(np.tile([38.4, 31.7], (18, 1)), np.ones(18)), box, size_px)
    np.testing.assert_allclose(middle_of(canvas), pose.points_px[0], atol=0.06)


def test_the_box_of_the_whole_picture_changes_nothing():
    image = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    np.testing.assert_array_equal(crop_square(image, (-0.5, -0.5, 39.5, 39.5), 40), image)


def test_outside_the_picture_lies_the_fill():
    image = np.full((20, 30, 3), 200, np.uint8)
    canvas = crop_square(image, (-20.5, -20.5, 39.5, 39.5), 60, fill=(10, 20, 30))
    assert canvas[0, 0].tolist() == canvas[59, 59].tolist() == [10, 20, 30]
    assert (canvas[20:40, 20:50] == 200).all()
    assert canvas[:19].max() == 30
    far = crop_square(np.full((20, 30), 255, np.uint8), (500, 500, 600, 600), 8, fill=7)
    assert far.shape == (8, 8) and (far == 7).all()


def test_shrinking_averages_the_area():
    fine = np.zeros((256, 256), np.uint8)
    fine[:, ::2] = 255
    canvas = crop_square(fine, (-0.5, -0.5, 255.5, 255.5), 32)
    assert np.abs(canvas[:, 2:-2].astype(int) - 127).max() <= 3


def test_pose_to_canvas_and_back():
    pose = standing_pose((100, 40), 300)
    box = person_box(pose)
    back = pose_from_box(pose_in_box(pose, box, 256), box, 256)
    np.testing.assert_allclose(back.as_array(), pose.as_array(), atol=1e-3)


def test_the_box_holds_the_whole_drawn_body_without_a_mask_and_wastes_little():
    pose = standing_pose((200, 100), 350)
    background = (205, 210, 205)
    body = np.abs(draw_figure(pose, (400, 500), background).astype(int) - background).max(2) > 20
    rows, columns = np.flatnonzero(body.any(1)), np.flatnonzero(body.any(0))
    x0, y0, x1, y1 = person_box(pose)
    assert x1 - x0 == pytest.approx(y1 - y0)
    assert x0 < columns[0] and x1 > columns[-1] and y0 < rows[0] and y1 > rows[-1]
    assert (y1 - y0) < 1.3 * (rows[-1] - rows[0])


def test_the_box_follows_the_body_scale_and_place_exactly():
    pose = standing_pose((100, 40), 300)
    box = np.array(person_box(pose))
    moved = np.array(person_box(pose.scaled_and_shifted(2.0, (30, -7))))
    np.testing.assert_allclose(moved, box * 2 + [30, -7, 30, -7], atol=1e-2)


def test_a_mask_widens_the_box_but_not_by_a_far_patch():
    pose = standing_pose((100, 40), 200)
    low = body_bounds(pose)[3]
    mask = np.zeros((600, 400), np.uint8)
    mask[100 : int(low) + 15, 90:110] = 255  # a long skirt or boots
    assert body_bounds(pose, mask)[3] == pytest.approx(int(low) + 14.5)
    mask[:, 390:] = 255  # someone else at the border
    unit = 0.31 * 200
    assert body_bounds(pose, mask)[2] < body_bounds(pose)[2] + 1.1 * unit


def test_half_a_body_gives_a_box_and_nobody_does_not():
    pose = standing_pose((100, 40), 300)
    confidence = pose.confidence.copy()
    confidence[8:14] = 0
    x0, y0, x1, y1 = person_box(Pose(pose.points_px, confidence))
    assert y1 < pose.points_px[[L_ANKLE, R_ANKLE], 1].min()
    assert y0 < pose.points_px[0, 1]
    with pytest.raises(ValueError, match="at least one joint"):
        person_box(Pose(pose.points_px, np.zeros(18)))


def test_a_box_that_is_not_square_is_refused():
    with pytest.raises(ValueError, match="square"):
        crop_square(np.zeros((9, 9, 3), np.uint8), (0, 0, 5, 8), 4)
