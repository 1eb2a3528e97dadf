"""Pairs are a pure function of (seed, number), show two frames of one person, and fit the
networks' size."""

import numpy as np
import pytest
import torch
from test_store import write

from dancepipe.data.augment import (
    mirrored,
    moved_flow,
    moved_joints,
    moved_landmarks,
    moved_pictures,
    random_colours,
    random_moves,
    recoloured,
)
from dancepipe.data.pairs import PairSource, pair_batches
from dancepipe.errors import DatasetError
from dancepipe.pose.skeleton import L_WRIST, R_WRIST
from dancepipe.skeletons import BLAZEPOSE_33


@pytest.fixture
def folder(tmp_path):
    write(tmp_path / "train" / "a.parquet", 40, identity="ann")
    write(tmp_path / "train" / "b.parquet", 5, identity="bob")
    write(tmp_path / "train" / "lonely.parquet", 1, identity="cid")
    write(tmp_path / "test" / "d.parquet", 6, identity="dan", split="test")
    return tmp_path


def test_the_same_pairs_from_any_start_and_with_workers(folder):
    straight = list(
        pair_batches(PairSource(folder, "train", (32, 32), seed=3), 4, 0, 24, workers=0)
    )
    resumed = list(
        pair_batches(PairSource(folder, "train", (32, 32), seed=3), 4, 12, 24, workers=2)
    )
    assert len(straight) == 6 and len(resumed) == 3
    for left, right in zip(straight[3:], resumed):
        for name, value in vars(left).items():
            assert value is getattr(right, name) is None or torch.equal(
                value, getattr(right, name)
            ), name
    other = next(
        iter(pair_batches(PairSource(folder, "train", (32, 32), seed=4), 4, 0, 4, workers=0))
    )
    assert not torch.equal(other.reference_joints, straight[0].reference_joints)


def test_pairs_in_a_row_share_a_reference(folder):
    source = PairSource(folder, "train", (32, 32), seed=0, targets=3)
    pairs = [source[number] for number in range(12)]
    seen = [pair["reference_image"].tobytes() for pair in pairs]
    assert all(len(set(seen[start : start + 3])) == 1 for start in range(0, 12, 3))
    assert len(set(seen)) >= 3
    shown = [pair["target_image"].tobytes() for pair in pairs]
    assert all(len(set(shown[start : start + 3])) == 3 for start in range(0, 12, 3))


def test_a_pair_is_two_different_frames_of_one_person(folder):
    source = PairSource(folder, "train", (32, 32), seed=0)
    assert (source.identities, source.frames) == (2, 45)
    tables = {}
    from dancepipe.data.store import read_clip

    for name in ("a", "b"):
        for row in read_clip(folder / "train" / f"{name}.parquet"):
            tables.setdefault(row.pose.as_array().tobytes(), set()).add(
                (row.identity, row.frame_index)
            )
    both_could_be_bob = 0
    for number in range(200):
        pair = source[number]
        assert not np.array_equal(
            pair["reference_joints"], pair["target_joints"]
        ) or not np.array_equal(pair["reference_image"], pair["target_image"])
        names = [
            {who for who, _ in tables[pair[f"{role}_joints"].tobytes()]}
            for role in ("reference", "target")
        ]
        assert names[0] & names[1]
        both_could_be_bob += "bob" in names[0] & names[1]
    assert (
        0.4 < both_could_be_bob / 200 < 0.62
    )  # each person counts the same, though bob has 5 frames and ann 40


def test_stored_pictures_are_resized_with_their_joints(folder):
    small = PairSource(folder, "train", (16, 16), seed=0)[5]
    full = PairSource(folder, "train", (32, 32), seed=0)[5]
    assert small["target_image"].shape == (16, 16, 3) and small["target_mask"].shape == (16, 16)
    np.testing.assert_allclose(
        (full["target_joints"][:, :2] + 0.5) / 2, small["target_joints"][:, :2] + 0.5, rtol=1e-5
    )
    averaged = full["target_image"].reshape(16, 2, 16, 2, 3).astype(float).mean((1, 3))
    assert np.abs(averaged - small["target_image"]).max() <= 1


def test_landmarks_and_hands_are_resized_with_their_picture_and_depth_with_its_size(folder):
    small = PairSource(folder, "train", (16, 16), seed=0)[5]
    full = PairSource(folder, "train", (32, 32), seed=0)[5]
    for name in ("reference_landmarks", "target_landmarks", "target_hands"):
        xy = (full[name][..., :2] + 0.5) / 2 - 0.5
        seen = full[name].any(-1)  # in place of a hand that is not seen there are zeros
        assert seen.any()
        np.testing.assert_allclose(small[name][seen][:, :2], xy[seen], atol=1e-4)
        np.testing.assert_allclose(small[name][..., 2], full[name][..., 2] / 2, rtol=1e-5)
        np.testing.assert_array_equal(small[name][..., 3], full[name][..., 3])
        assert not small[name][~seen].any()


def test_pairs_have_landmarks_and_hands_where_any_picture_has_and_are_else_the_same(tmp_path):
    """Pictures, joints and their order do not depend on it. What a picture lacks has the
    confidence 0."""
    batches = {}
    for kind, (landmarks, hands) in {
        "bare": (False, False),
        "mixed": (True, False),
        "rich": (True, True),
    }.items():
        settings = {"landmarks": landmarks, "hands": hands}
        write(tmp_path / kind / "train" / "a.parquet", 20, identity="ann", **settings)
        write(
            tmp_path / kind / "train" / "b.parquet",
            20,
            identity="bob",
            landmarks=kind == "rich",
            hands=kind == "rich",
        )
        source = PairSource(tmp_path / kind, "train", (32, 32), seed=3)
        batches[kind] = list(pair_batches(source, 4, 0, 24, workers=0))
    for bare, mixed, rich in zip(*batches.values(), strict=True):
        for role in ("reference", "target"):
            for part in ("image", "mask", "joints"):
                name = f"{role}_{part}"
                assert torch.equal(getattr(bare, name), getattr(rich, name))
                assert torch.equal(getattr(bare, name), getattr(mixed, name))
            assert getattr(bare, f"{role}_landmarks") is None
            assert getattr(bare, f"{role}_hands") is getattr(mixed, f"{role}_hands") is None
            whole, some = (getattr(one, f"{role}_landmarks") for one in (rich, mixed))
            assert whole.shape == (4, 33, 4) and (whole[..., 3] > 0).all()
            assert getattr(rich, f"{role}_hands").shape == (4, 2, 21, 4)
            has = some[..., 3].any(1)
            assert torch.equal(some[has], whole[has]) and not some[~has].any()
    known = torch.cat([one.target_landmarks[:, 0, 3] > 0 for one in batches["mixed"]])
    assert 0.2 < known.float().mean() < 0.8


def test_points_stay_on_the_cpu(folder):
    source = PairSource(folder, "train", (32, 32), seed=1)
    batch = next(iter(pair_batches(source, 4, 0, 4, workers=0))).to("meta")
    for role in ("reference", "target"):
        assert getattr(batch, f"{role}_image").device.type == "meta"
        for part in ("joints", "landmarks", "hands"):
            assert getattr(batch, f"{role}_{part}").device.type == "cpu"


def test_no_one_with_two_frames(tmp_path):
    write(tmp_path / "train" / "lonely.parquet", 1)
    with pytest.raises(DatasetError, match="no identity of the train split has two frames"):
        PairSource(tmp_path, "train", (32, 32), seed=0)


def test_mirroring_twice_is_the_identity_and_once_swaps_hands(folder):
    batch = next(
        iter(pair_batches(PairSource(folder, "train", (32, 32), seed=1), 4, 0, 4, workers=0))
    )
    which = torch.tensor([True, False, True, True])
    once = mirrored(batch, which)
    twice = mirrored(once, which)
    for name, value in vars(batch).items():
        assert value is getattr(twice, name) is None or torch.allclose(
            value.float(), getattr(twice, name).float(), atol=1e-4
        ), name
    assert torch.equal(once.target_image[0], batch.target_image[0].flip(1)) and torch.equal(
        once.target_image[1], batch.target_image[1]
    )
    assert once.target_joints[0, L_WRIST, 0] == pytest.approx(
        31 - float(batch.target_joints[0, R_WRIST, 0]), abs=1e-4
    )
    assert once.target_joints[0, L_WRIST, 2] == batch.target_joints[0, R_WRIST, 2]
    left, right = (BLAZEPOSE_33.index(f"{side}_thumb") for side in ("left", "right"))
    for once_points, points in (
        (once.target_landmarks[0, left], batch.target_landmarks[0, right]),
        (once.target_hands[0, 1], batch.target_hands[0, 0]),  # the left one was the right one
    ):
        assert torch.equal(once_points[..., 0], 31 - points[..., 0])
        assert torch.equal(once_points[..., 1:], points[..., 1:])


def test_recolouring_keeps_the_grey_and_the_range():
    generator = torch.Generator().manual_seed(0)
    masks = torch.zeros(6, 1, 8, 8)
    masks[:, :, 2:6, 2:6] = 1
    masks[:, :, 2, 2:6] = 0.5
    colours = torch.rand(6, 3, 8, 8, generator=generator) * 2 - 1
    images = colours * masks  # on grey, which is 0
    gain, order = random_colours(6, 0.3, generator)
    changed = recoloured(images, masks, gain, order)
    assert torch.equal(
        changed[masks.expand_as(changed) == 0],
        torch.zeros_like(changed)[masks.expand_as(changed) == 0],
    )
    assert changed.abs().max() <= 1 + 1e-6
    same = recoloured(images, masks, torch.ones(6, 3), torch.arange(3).repeat(6, 1))
    assert torch.allclose(same, images, atol=1e-6)
    swapped = recoloured(images, masks, torch.ones(6, 3), torch.tensor([[2, 0, 1]]).repeat(6, 1))
    assert torch.allclose(swapped, images[:, [2, 0, 1]], atol=1e-6)
    assert (gain > 0).all() and (order.sort(1).values == torch.arange(3)).all()


def spots(points: torch.Tensor, height: int, width: int) -> torch.Tensor:
    """(B, 1, H, W): a Gaussian at each point (B, 2)."""
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    return torch.exp(
        -((x - points[:, 0, None, None]).square() + (y - points[:, 1, None, None]).square()) / 8
    )[:, None]


def test_a_move_takes_pictures_and_joints_to_the_same_place():
    height, width = 96, 64  # not square
    moves = random_moves(
        8, turn_degrees=30, shift=0.1, zoom=0.2, generator=torch.Generator().manual_seed(0)
    )
    joints = torch.rand(8, 18, 3, generator=torch.Generator().manual_seed(1))
    joints[..., :2] = joints[..., :2] * 20 + torch.tensor(
        [22.0, 38.0]
    )  # in the middle: none leaves the picture
    moved = moved_joints(joints, moves, (height, width))
    assert torch.equal(moved[..., 2], joints[..., 2])
    assert (moved - joints)[..., :2].norm(dim=-1).mean() > 3
    pictures = moved_pictures(spots(joints[:, 3], height, width), moves)
    for picture, place in zip(pictures[:, 0], moved[:, 3]):
        peak = divmod(int(picture.argmax()), width)
        assert abs(peak[1] - place[0]) <= 1 and abs(peak[0] - place[1]) <= 1
        assert picture.max() > 0.85


def test_a_move_takes_landmarks_where_it_takes_joints_and_scales_their_depth():
    generator = torch.Generator().manual_seed(0)
    moves = random_moves(8, turn_degrees=30, shift=0.1, zoom=0.2, generator=generator)
    hands = torch.rand(8, 2, 21, 4, generator=generator) * 40 - 20
    moved = moved_landmarks(hands, moves, (96, 64))
    joints = moved_joints(hands.flatten(1, 2)[..., [0, 1, 3]], moves, (96, 64))
    assert torch.equal(moved.flatten(1, 2)[..., [0, 1, 3]], joints)
    size = moves[:, 0, :2].norm(dim=1)
    assert size.std() > 0.02
    torch.testing.assert_close(moved[..., 2], hands[..., 2] * size[:, None, None])


def test_moves_stay_within_what_was_asked_for_and_none_is_none():
    moves = random_moves(500, 5.0, 0.02, 0.05, torch.Generator().manual_seed(0))
    size = moves[:, 0, :2].norm(dim=1)
    turn = torch.rad2deg(torch.atan2(moves[:, 1, 0], moves[:, 0, 0]))
    assert (
        size.min() > 0.95
        and size.max() < 1.05
        and turn.abs().max() < 5
        and moves[:, :, 2].abs().max() < 0.02
    )
    assert size.std() > 0.02 and turn.std() > 2 and moves[:, :, 2].std() > 0.01
    still = random_moves(2, 0.0, 0.0, 0.0, torch.Generator())
    pictures = torch.rand(2, 3, 16, 16)
    torch.testing.assert_close(moved_pictures(pictures, still), pictures, rtol=0, atol=1e-5)
    quarter = torch.tensor([[[0.0, -1.0, 0.0], [1.0, 0.0, 0.0]]]).expand(2, 2, 3)
    torch.testing.assert_close(
        moved_pictures(pictures, quarter), pictures.rot90(-1, (2, 3)), rtol=0, atol=1e-5
    )


def test_what_comes_in_from_outside_is_grey():
    shifted = torch.tensor([[[1.0, 0.0, 0.5], [0.0, 1.0, 0.0]]])
    moved = moved_pictures(torch.ones(1, 4, 16, 16), shifted)
    assert (moved[..., :7] == 0).all() and (moved[..., 9:] == 1).all()


def test_a_moved_flow_still_takes_the_target_to_the_reference():
    height, width = 48, 64
    generator = torch.Generator().manual_seed(3)
    moves_r, moves_t = (random_moves(2, 20.0, 0.05, 0.1, generator) for _ in range(2))
    joints_r, joints_t = (
        torch.rand(2, 18, 3, generator=generator) * 16 + torch.tensor([24.0, 16.0, 1.0])
        for _ in range(2)
    )
    # An affine flow, which bilinear reading keeps exactly: the reference is the target turned,
    # stretched and shifted.
    linear, shift = torch.tensor([[1.1, 0.2], [-0.1, 0.9]]), torch.tensor([2.0, -3.0])
    joints_r[..., :2] = joints_t[..., :2] @ linear.T + shift
    y, x = torch.meshgrid(torch.arange(float(height)), torch.arange(float(width)), indexing="ij")
    points = torch.stack((x, y), -1)
    flow = (points @ linear.T + shift - points).permute(2, 0, 1).expand(2, -1, -1, -1)
    moved, visible = moved_flow(flow, torch.ones(2, 1, height, width), moves_r, moves_t)
    moved_r, moved_t = (
        moved_joints(joints, moves, (height, width))[..., :2]
        for joints, moves in ((joints_r, moves_r), (joints_t, moves_t))
    )
    for pair in range(2):
        for start, end in zip(moved_t[pair], moved_r[pair]):
            near = start.round().long()
            step = moved[pair, :, near[1], near[0]]
            assert visible[pair, 0, near[1], near[0]] == 1
            assert (
                near + step - end
            ).norm() < 1.3  # the joint lies up to .7 px off the pixel that is read
    assert 0 < visible.mean() < 1 and (moved[(visible == 0).expand_as(moved)] == 0).all()
    hidden = moved_flow(flow, torch.zeros(2, 1, height, width), moves_r, moves_t)
    assert hidden[1].sum() == 0 and hidden[0].abs().sum() == 0
