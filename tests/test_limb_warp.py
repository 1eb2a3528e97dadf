"""The limb warp: moved joints move the picture, parts keep their colours, missing joints cost
their part and nothing else."""

import math

import numpy as np
import pytest
import torch
from figure import draw_figure, standing_pose

from dancepipe.nn.tensors import to_network
from dancepipe.pose.skeleton import L_HIP, R_ELBOW, R_HIP, R_KNEE, R_SHOULDER, R_WRIST
from dancepipe.priors.limb_warp import limb_flow, limb_warp
from dancepipe.records import Pose

SIDE = 160


def drawn(pose: Pose, side: int = SIDE):
    """I (1, 3, S, S) on grey, matte (1, 1, S, S), joints (1, 18, 3) of the drawn figure."""
    image = draw_figure(pose, (side, side), background=(128, 128, 128))
    matte = draw_figure(pose, (side, side), background=(0, 255, 0))
    is_person = ~(np.abs(matte.astype(int) - (0, 255, 0)).sum(2) < 40)
    return (
        to_network(image[None].copy()),
        torch.from_numpy(is_person[None, None].astype(np.float32)),
        torch.from_numpy(pose.as_array())[None],
    )


def standing(height: float = 120, x: float = 80, y: float = 18) -> Pose:
    return standing_pose((x, y), height)


def turned(pose: Pose, degrees: float, scale: float, shift=(0.0, 0.0)) -> Pose:
    angle = math.radians(degrees)
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    middle = np.array([SIDE / 2, SIDE / 2])
    return Pose((pose.points_px - middle) @ turn.T + middle + shift, pose.confidence)


def moved_picture(image: torch.Tensor, degrees: float, scale: float, shift) -> torch.Tensor:
    """The whole picture under the same move, by one plain bilinear look-up."""
    angle = math.radians(degrees)
    y, x = torch.meshgrid(torch.arange(SIDE) * 1.0, torch.arange(SIDE) * 1.0, indexing="ij")
    x, y = x - SIDE / 2 - shift[0], y - SIDE / 2 - shift[1]
    source_x = (math.cos(angle) * x + math.sin(angle) * y) / scale + SIDE / 2
    source_y = (-math.sin(angle) * x + math.cos(angle) * y) / scale + SIDE / 2
    grid = torch.stack((source_x, source_y), -1)[None] * 2 / (SIDE - 1) - 1
    return torch.nn.functional.grid_sample(image, grid, align_corners=True)


@pytest.mark.parametrize(
    "move",
    [
        (0, 1.0, (0, 0)),
        (0, 1.0, (11.5, -7)),
        (0, 0.7, (0, 0)),
        (0, 1.25, (0, 0)),
        (30, 1.0, (0, 0)),
        (-90, 0.9, (3, 4)),
        (180, 1.0, (0, 0)),
    ],
    ids=["identity", "shifted", "smaller", "larger", "turned", "lying", "upside down"],
)
def test_a_move_of_all_joints_moves_the_picture(move):
    pose = standing()
    I_r, matte_r, joints_r = drawn(pose)
    joints_t = torch.from_numpy(turned(pose, *move).as_array())[None]
    warped = limb_warp(I_r, matte_r, joints_r, joints_t)
    wanted, wanted_matte = moved_picture(I_r, *move), moved_picture(matte_r, *move)
    inside = (wanted_matte > 0.99) & (warped.matte > 0.99)
    assert inside.sum() > 0.85 * (wanted_matte > 0.99).sum()  # what the capsules cut off is a rim
    assert (warped.picture - wanted).abs()[
        inside.expand(-1, 3, -1, -1)
    ].max() < 0.011  # a matte of .99 is grey by .01
    assert ((warped.matte > 0.5) & (wanted_matte < 0.01)).sum() < 0.04 * (
        wanted_matte > 0.5
    ).sum()  # and nothing is put beside the body


def test_flow_points_from_target_to_source():
    pose = standing()
    I_r, matte_r, joints_r = drawn(pose)
    joints_t = joints_r + torch.tensor([9.0, 4.0, 0.0])
    warped = limb_warp(I_r, matte_r, joints_r, joints_t)
    x, y = (joints_t[0, R_ELBOW, i].round().long() for i in (0, 1))
    torch.testing.assert_close(
        warped.flow[0, :, y, x], torch.tensor([-9.0, -4.0]), atol=1e-3, rtol=0
    )
    smooth, coverage = limb_flow(joints_r, joints_t, SIDE, SIDE)
    torch.testing.assert_close(
        smooth[0],
        torch.tensor([-9.0, -4.0])[:, None, None].expand(-1, SIDE, SIDE),
        atol=1e-3,
        rtol=0,
    )
    assert coverage[0, 0, y, x] > 0.95 and coverage[0, 0, 0, 0] < 0.01


def test_a_moved_forearm_carries_its_colours():
    pose = standing()
    I_r, matte_r, joints_r = drawn(pose)
    joints_t = joints_r.clone()
    elbow = joints_t[0, R_ELBOW, :2]
    length = (joints_r[0, R_WRIST, :2] - elbow).norm()
    joints_t[0, R_WRIST, :2] = elbow + length * torch.tensor([-1.0, 0.0])  # straight out, over grey
    warped = limb_warp(I_r, matte_r, joints_r, joints_t)
    middle_r, middle_t = (
        ((joints[0, R_ELBOW, :2] + joints[0, R_WRIST, :2]) / 2).round().long()
        for joints in (joints_r, joints_t)
    )
    skin = I_r[0, :, middle_r[1], middle_r[0]]
    torch.testing.assert_close(
        warped.picture[0, :, middle_t[1], middle_t[0]], skin, atol=0.06, rtol=0
    )
    assert warped.matte[0, 0, middle_t[1], middle_t[0]] > 0.95
    assert warped.matte[0, 0, middle_r[1], middle_r[0]] < 0.05  # and is no longer where it was


def test_an_arm_lies_over_the_torso():
    pose = standing()
    I_r, matte_r, joints_r = drawn(pose)
    joints_t = joints_r.clone()
    hip_middle = (joints_r[0, R_HIP, :2] + joints_r[0, L_HIP, :2]) / 2
    joints_t[0, R_WRIST, :2] = joints_r[0, R_SHOULDER, :2] * 0.3 + hip_middle * 0.7
    warped = limb_warp(I_r, matte_r, joints_r, joints_t)
    middle_r, middle_t = (
        ((joints[0, R_ELBOW, :2] + joints[0, R_WRIST, :2]) / 2).round().long()
        for joints in (joints_r, joints_t)
    )
    skin = I_r[0, :, middle_r[1], middle_r[0]]
    torch.testing.assert_close(
        warped.picture[0, :, middle_t[1], middle_t[0]], skin, atol=0.1, rtol=0
    )


def test_a_batch_equals_singles_and_unit_sizes():
    poses = [standing(), standing(90, 60, 30), turned(standing(), 20, 0.9)]
    pictures = [drawn(pose) for pose in poses]
    I_r, matte_r, joints_r = (torch.cat(parts) for parts in zip(*pictures, strict=True))
    joints_t = joints_r.roll(1, 0)
    together = limb_warp(I_r, matte_r, joints_r, joints_t)
    flow, coverage = limb_flow(joints_r, joints_t, SIDE, SIDE)
    for i in range(3):
        alone = limb_warp(
            I_r[i : i + 1], matte_r[i : i + 1], joints_r[i : i + 1], joints_t[i : i + 1]
        )
        for name in ("picture", "matte", "flow"):
            torch.testing.assert_close(
                getattr(alone, name)[0], getattr(together, name)[i], atol=2e-4, rtol=1e-5
            )
        alone_flow, alone_coverage = limb_flow(joints_r[i : i + 1], joints_t[i : i + 1], SIDE, SIDE)
        torch.testing.assert_close(alone_flow[0], flow[i], atol=2e-3, rtol=1e-4)
        torch.testing.assert_close(alone_coverage[0], coverage[i])


def test_the_size_of_the_picture_has_no_say():
    """Twice the picture: the same result, twice as large (up to the sampling)."""
    results = []
    for factor in (1, 2):
        pose = standing().scaled_and_shifted(factor, ((factor - 1) / 2,) * 2)
        target = turned(standing(), 15, 0.9).scaled_and_shifted(factor, ((factor - 1) / 2,) * 2)
        I_r, matte_r, joints_r = drawn(pose, SIDE * factor)
        results.append(limb_warp(I_r, matte_r, joints_r, torch.from_numpy(target.as_array())[None]))
    halved = torch.nn.functional.avg_pool2d(results[1].matte, 2)
    assert (halved - results[0].matte).abs().mean() < 0.01


@pytest.mark.parametrize("side", ["reference", "target"])
def test_a_missing_limb_is_left_out_and_the_rest_stays(side):
    pose = standing()
    I_r, matte_r, joints_r = drawn(pose)
    joints_r, joints_t = joints_r.clone(), joints_r.clone()
    changed = joints_r if side == "reference" else joints_t
    for joint in (R_ELBOW, R_WRIST):
        changed[0, joint] = torch.tensor([float("nan"), float("nan"), 0.0])
    warped = limb_warp(I_r, matte_r, joints_r, joints_t)
    flow, coverage = limb_flow(joints_r, joints_t, SIDE, SIDE)
    for values in (warped.picture, warped.matte, warped.flow, flow, coverage):
        assert torch.isfinite(values).all()
    x, y = pose.points_px[R_WRIST].round().astype(int)
    assert warped.matte[0, 0, y, x] < 0.05
    x, y = pose.points_px[R_KNEE].round().astype(int)
    assert warped.matte[0, 0, y, x] > 0.95


def test_without_hips_the_torso_hangs_from_the_shoulders():
    pose = standing()
    I_r, matte_r, joints_r = drawn(pose)
    joints_r[0, 8:14, 2] = 0
    warped = limb_warp(I_r, matte_r, joints_r, joints_r + torch.tensor([5.0, 0.0, 0.0]))
    chest = pose.points_px[[2, 5]].mean(0) + (5, 20)
    x, y = chest.round().astype(int)
    assert warped.matte[0, 0, y, x] > 0.95
    torch.testing.assert_close(warped.picture[0, :, y, x], I_r[0, :, y, x - 5], atol=0.05, rtol=0)


def test_no_joint_in_common_gives_grey_and_no_flow():
    I_r, matte_r, joints_r = drawn(standing())
    joints_t = joints_r.clone()
    joints_t[..., 2] = 0
    warped = limb_warp(I_r, matte_r, joints_r, joints_t)
    flow, coverage = limb_flow(joints_r, joints_t, SIDE, SIDE)
    for values in (warped.picture, warped.matte, warped.flow, flow, coverage):
        assert values.abs().max() == 0


def test_any_subset_of_joints_gives_finite_pictures():
    random = torch.Generator().manual_seed(0)
    I_r, matte_r, joints = drawn(standing())
    many = joints.expand(64, -1, -1).clone()
    many[..., :2] += torch.randn(64, 18, 2, generator=random) * 20
    targets = many.roll(1, 0).clone()
    many[..., 2] = (torch.rand(64, 18, generator=random) > 0.5).float()
    targets[..., 2] = (torch.rand(64, 18, generator=random) > 0.5).float()
    warped = limb_warp(I_r.expand(64, -1, -1, -1), matte_r.expand(64, -1, -1, -1), many, targets)
    assert all(
        torch.isfinite(values).all() for values in (warped.picture, warped.matte, warped.flow)
    )
    assert warped.picture.abs().max() <= 1 and 0 <= warped.matte.min() and warped.matte.max() <= 1


def test_wrong_shapes_are_refused():
    I_r, matte_r, joints = drawn(standing())
    with pytest.raises(ValueError, match=r"\(B, 18, 3\), got \(18, 3\)"):
        limb_warp(I_r, matte_r, joints[0], joints)


def test_hands_before_the_hips_stay_with_their_arm():
    """The forearm hangs before the thigh in the photo and is raised in the target: the thigh
    shows its own colour, not the hand's."""
    from figure import standing_pose

    from dancepipe.priors.limb_warp import warp_source

    size = 192
    joints_r = torch.from_numpy(standing_pose((size / 2, 10), size - 20).as_array())[None]
    joints_t = joints_r.clone()
    hip, knee = joints_r[0, 8, :2], joints_r[0, 9, :2]
    joints_r[0, 3, :2], joints_r[0, 4, :2] = (
        hip + torch.tensor([-2.0, -20.0]),
        hip + 0.35 * (knee - hip),
    )  # elbow and wrist before the hip
    joints_t[0, 3, :2] = joints_t[0, 2, :2] + torch.tensor([-25.0, -5.0])
    joints_t[0, 4, :2] = joints_t[0, 2, :2] + torch.tensor([-50.0, -10.0])
    y, x = torch.meshgrid(torch.arange(float(size)), torch.arange(float(size)), indexing="ij")
    elbow, wrist = joints_r[0, 3, :2], joints_r[0, 4, :2]
    along = (
        ((x - elbow[0]) * (wrist - elbow)[0] + (y - elbow[1]) * (wrist - elbow)[1])
        / (wrist - elbow).square().sum()
    ).clamp(0, 1.3)
    on_forearm = (x - elbow[0] - along * (wrist - elbow)[0]).hypot(
        y - elbow[1] - along * (wrist - elbow)[1]
    ) < 4
    picture = torch.where(
        on_forearm,
        torch.tensor([1.0, -1, -1]).view(3, 1, 1),
        torch.tensor([-1.0, -1, 1]).view(3, 1, 1),
    )[None]  # red on blue
    matte = torch.ones(1, 1, size, size)
    made = limb_warp(picture, matte, joints_r, joints_t)
    thigh = hip + 0.35 * (knee - hip)
    colour = made.picture[0, :, int(thigh[1]), int(thigh[0])]
    assert colour[2] > 0.5 and colour[0] < -0.5, "blue"
    middle = (joints_t[0, 3, :2] + joints_t[0, 4, :2]) / 2
    assert made.picture[0, 0, int(middle[1]), int(middle[0])] > 0.5, "the forearm keeps its red"
    again = limb_warp(picture, matte, joints_r, joints_t, warp_source(picture, matte, joints_r))
    assert torch.equal(again.picture, made.picture)
