import colorsys

import numpy as np
import pytest
import torch
from figure import standing_pose

from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.pose.skeleton import L_WRIST, LIMBS, NECK, R_SHOULDER


def some_joints(count=2):
    generator = np.random.default_rng(3)
    joints = generator.uniform(-10, 70, (count, 18, 3))
    joints[..., 2] = generator.uniform(-0.5, 1, (count, 18))
    return torch.tensor(joints, dtype=torch.float32)


def test_heat_maps_equal_the_literal_gaussian():
    joints = some_joints()
    maps = heat_maps(joints, 48, 64)
    sigma = 6 * 48 / 256
    y, x = np.mgrid[:48, :64]
    for b in range(2):
        for k in range(18):
            kx, ky, confidence = joints[b, k].tolist()
            literal = (
                np.exp(-((x - kx) ** 2 + (y - ky) ** 2) / (2 * sigma**2))
                if confidence > 0
                else np.zeros((48, 64))
            )
            np.testing.assert_allclose(maps[b, k].numpy(), literal, atol=2e-6)


def test_heat_maps_peak_at_one_and_ignore_a_missing_joint_that_is_nan():
    joints = torch.zeros(1, 18, 3)
    joints[0, 0] = torch.tensor([20.0, 30.0, 0.2])  # low confidence draws at full height
    joints[0, 1] = torch.tensor([float("nan"), 3.0, 0.0])
    maps = heat_maps(joints, 64, 64, sigma_px=2.0)
    assert maps[0, 0].max() == maps[0, 0, 30, 20] == 1
    assert maps[0, 1:].abs().sum() == 0


def literal_joint_map(joints, height, width):
    """Every limb over every pixel, in the plainest words."""
    drawing = np.zeros((height, width, 3))
    y, x = np.mgrid[:height, :width].astype(float)
    for i, (first, second) in enumerate(LIMBS):
        if joints[first, 2] <= 0 or joints[second, 2] <= 0:
            continue
        a, b = joints[first, :2].astype(float), joints[second, :2].astype(float)
        along = b - a
        t = np.clip(
            ((x - a[0]) * along[0] + (y - a[1]) * along[1]) / max((along**2).sum(), 1e-12), 0, 1
        )
        distance = np.hypot(x - a[0] - t * along[0], y - a[1] - t * along[1])
        cover = np.clip(0.008 * height + 0.5 - distance, 0, 1)[..., None]
        drawing = drawing * (1 - cover) + np.array(colorsys.hsv_to_rgb(i / 17, 1, 1)) * cover
    return drawing.transpose(2, 0, 1)


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 48)])
def test_joint_map_equals_the_literal_painter_also_beyond_the_border(height, width):
    joints = some_joints(3)
    joints[2, :, 2] = 1
    drawn = joint_map(joints, height, width)
    assert drawn.shape == (3, 3, height, width)
    for b in range(3):
        np.testing.assert_allclose(
            drawn[b].numpy(), literal_joint_map(joints[b].numpy(), height, width), atol=1e-4
        )


def test_a_limb_with_a_missing_end_is_left_out_and_nobody_gives_black():
    joints = torch.zeros(1, 18, 3)
    joints[0, NECK] = torch.tensor([10.0, 10.0, 1.0])
    joints[0, R_SHOULDER] = torch.tensor([20.0, 10.0, 1.0])
    joints[0, L_WRIST] = torch.tensor([50.0, 50.0, 1.0])
    drawn = joint_map(joints, 64, 64)
    assert drawn[0, :, 10, 15].tolist() == [1, 0, 0]  # limb 0 is red
    assert drawn[0, :, 40:].abs().sum() == 0
    assert joint_map(torch.zeros(2, 18, 3), 32, 32).abs().sum() == 0


def test_a_batch_equals_its_samples_and_values_stay_in_range():
    poses = [standing_pose((30, 4), 56), standing_pose((40, 10), 40)]
    joints = torch.stack([torch.from_numpy(pose.as_array()) for pose in poses])
    drawn = joint_map(joints, 64, 64)
    for b in range(2):
        assert torch.equal(drawn[b], joint_map(joints[b : b + 1], 64, 64)[0])
    assert drawn.min() >= 0 and drawn.max() <= 1 and drawn.max() > 0.9


def test_other_shapes_are_refused():
    with pytest.raises(ValueError, match=r"\(B, 18, 3\)"):
        joint_map(torch.zeros(18, 3), 32, 32)
