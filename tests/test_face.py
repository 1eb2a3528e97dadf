"""The face region: which joints it needs, how large it is, and crops that show exactly it."""

import pytest
import torch

from dancepipe.losses.face import crop_faces, face_boxes
from dancepipe.pose.skeleton import L_EAR, L_EYE, NECK, NOSE, R_EAR, R_EYE, R_SHOULDER


def joints(found: dict[int, tuple[float, float]]):
    person = torch.zeros(1, 18, 3)
    person[:, :, :2] = -500  # a missing joint's point means nothing
    for joint, (x_px, y_px) in found.items():
        person[0, joint] = torch.tensor([x_px, y_px, 0.9])
    return person


FRONTAL = {NOSE: (50, 40), NECK: (52, 70), R_EYE: (45, 35), L_EYE: (55, 35)}


def test_box_is_the_square_on_the_larger_side_times_1_4():
    boxes = face_boxes(joints(FRONTAL), height=256)
    assert boxes.present.tolist() == [True]
    side = (70 - 35) * 1.4
    assert boxes.boxes_xyxy_px[0].tolist() == pytest.approx(
        [50 - side / 2, 52.5 - side / 2, 50 + side / 2, 52.5 + side / 2]
    )


def test_joints_outside_the_six_do_not_count():
    with_shoulder = face_boxes(joints({**FRONTAL, R_SHOULDER: (0, 200)}), height=256)
    assert torch.equal(
        with_shoulder.boxes_xyxy_px, face_boxes(joints(FRONTAL), height=256).boxes_xyxy_px
    )


@pytest.mark.parametrize(
    "found, present",
    [
        ({NOSE, NECK, R_EAR}, True),
        ({R_EYE, R_EAR, NECK}, True),
        ({L_EYE, R_EYE, NOSE}, True),
        ({NOSE, NECK}, False),  # two
        ({NECK, R_EAR, L_EAR}, False),  # seen from behind
        (set(), False),
    ],
)
def test_which_joints_make_a_face(found, present):
    boxes = face_boxes(joints({joint: (40 + joint, 40 - joint) for joint in found}), height=256)
    assert boxes.present.tolist() == [present] and torch.isfinite(boxes.boxes_xyxy_px).all()


def test_confidence_0_and_below_is_missing():
    person = joints(FRONTAL)
    person[0, [NOSE, NECK], 2] = torch.tensor([0.0, -1.0])
    assert face_boxes(person, height=256).present.tolist() == [False]


def test_box_is_never_smaller_than_a_sixteenth_of_the_height():
    boxes = face_boxes(
        joints({NOSE: (50, 40), R_EYE: (49, 39), L_EYE: (51, 39)}), height=320
    ).boxes_xyxy_px
    assert (boxes[0, 2:] - boxes[0, :2]).tolist() == [20, 20]


def ramp(height=100, width=120):
    """A picture whose channels are its own x and y."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.stack((x, y, x * 0))[None]


def test_crop_samples_the_middle_of_each_of_its_pixels():
    boxes = face_boxes(joints(FRONTAL), height=100)
    x_0, y_0, x_1, _ = boxes.boxes_xyxy_px[0].tolist()
    crop = crop_faces(ramp(), boxes)
    assert crop.shape == (1, 3, 64, 64)
    step = (x_1 - x_0) / 64
    assert crop[0, 0, 10, 20].item() == pytest.approx(x_0 + 20.5 * step, abs=1e-3)
    assert crop[0, 1, 10, 20].item() == pytest.approx(y_0 + 10.5 * step, abs=1e-3)


def test_crop_outside_the_picture_repeats_its_border():
    low = {joint: (x - 50, y - 40) for joint, (x, y) in FRONTAL.items()}
    crop = crop_faces(ramp(), face_boxes(joints(low), height=100))
    assert crop[0, :2, 0, 0].tolist() == [0, 0] and crop[0, 0, 40, -1] > 10


def test_gradient_reaches_the_pixels_of_the_box_and_no_others():
    picture = ramp().requires_grad_()
    boxes = face_boxes(joints(FRONTAL), height=100)
    crop_faces(picture, boxes).sum().backward()
    x_0, y_0, x_1, y_1 = boxes.boxes_xyxy_px[0].tolist()
    inside = torch.zeros(100, 120, dtype=torch.bool)
    inside[int(y_0) : int(y_1) + 2, int(x_0) : int(x_1) + 2] = True
    assert (picture.grad[0, 0] != 0)[~inside].sum() == 0
    assert (picture.grad[0, 0] > 0)[40:60, 40:60].all()
