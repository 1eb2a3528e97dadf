"""Exact flow reaches the loss: read beside the clips, resized and mirrored with the pictures,
absent pairs say so."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from dancer_pack import dancer_pack  # noqa: F401
from test_store import write
from test_train import ALONE, QUICK

from dancepipe.data.augment import mirrored
from dancepipe.data.exact_flow import read_flow, resized_flow
from dancepipe.data.pairs import PairBatch, PairSource, collate
from dancepipe.errors import DatasetError
from dancepipe.nn.local_attention import warp
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.systems.focus_retain.stages import Stage1
from dancepipe.systems.focus_retain.training import dims_of
from dancepipe.training.inputs import Augmentation, network_pair
from dancepipe.training.train import train

FRAMES = 6


@pytest.fixture
def folder(tmp_path):
    """Clips of drawn people; each picture of a clip says in its flow which one it is. One clip
    has no truth."""
    for name in ("a", "b"):
        write(tmp_path / "train" / f"{name}.parquet", FRAMES, identity=name)
    (tmp_path / "truth").mkdir()
    flow = np.arange(FRAMES, dtype=np.float16)[:, None, None, None] * np.ones(
        (1, 32, 32, 2), np.float16
    )
    np.savez_compressed(
        tmp_path / "truth" / "a.npz", flow=flow, flow_visible=np.ones((FRAMES, 32, 32), bool)
    )
    return tmp_path


def test_half_of_the_pairs_start_from_the_first_picture_and_know_the_flow(folder):
    source, plain = (
        PairSource(folder, "train", (32, 32), seed=0, with_flow=with_flow)
        for with_flow in (True, False)
    )
    first = {name: plain._picture(number, 0).pose.as_array() for number, name in enumerate("ab")}
    known = 0
    for number in range(200):
        pair, without = source[number], plain[number]
        np.testing.assert_array_equal(pair["target_joints"], without["target_joints"])
        if pair["flow_visible"].any():
            known += 1
            np.testing.assert_array_equal(pair["reference_joints"], first["a"])
            row = int(pair["flow"][0, 0, 0])
            assert 0 < row < FRAMES and (pair["flow"] == row).all()
            np.testing.assert_array_equal(
                pair["target_joints"], plain._picture(0, row).pose.as_array()
            )
        else:
            np.testing.assert_array_equal(pair["reference_joints"], without["reference_joints"])
            assert not pair["flow"].any()
    assert (
        25 < known < 60
        # of 200: half are of the clip with truth, half of those ask for it, five of six have
        # another
        # target than the first
    )


def test_without_truth_the_data_set_is_refused(folder, tmp_path):
    write(folder / "test" / "c.parquet", 3, identity="c", split="test")
    with pytest.raises(DatasetError, match="no exact flow of the test split.*dancers --truth"):
        PairSource(folder, "test", (32, 32), seed=0, with_flow=True)
    (folder / "truth" / "a.npz").write_bytes(b"PK no zip")
    with pytest.raises(DatasetError, match="cannot read .*a.npz .*run dancers again"):
        read_flow(folder / "truth" / "a.npz", 1, (32, 32))


def test_a_resized_flow_is_the_mean_of_what_is_visible():
    flow, visible = np.zeros((4, 4, 2), np.float32), np.zeros((4, 4), bool)
    flow[:2, :2] = [[[4, 0], [8, 0]], [[4, 2], [8, 2]]]
    visible[:2, :2] = True
    visible[2, 2] = True  # a quarter of its new pixel
    small, still_visible = resized_flow(flow, visible, (2, 2))
    np.testing.assert_array_equal(still_visible, [[True, False], [False, False]])
    np.testing.assert_allclose(small[0, 0], [3, 0.5])  # means of 6 and 1, halved
    assert not small[~still_visible].any()
    flat, _ = resized_flow(flow, visible, (4, 2))
    np.testing.assert_allclose(flat[:2, 0], [[3, 0], [3, 2]])  # narrower, not lower


def test_a_mirrored_flow_warps_the_mirrored_picture():
    random = np.random.default_rng(0)
    image = torch.from_numpy(random.integers(0, 255, (2, 16, 16, 3), dtype=np.uint8))
    batch = PairBatch(
        image,
        torch.zeros(2, 16, 16, dtype=torch.uint8),
        torch.zeros(2, 18, 3),
        image,
        torch.zeros(2, 16, 16, dtype=torch.uint8),
        torch.zeros(2, 18, 3),
        torch.from_numpy(random.uniform(-3, 3, (2, 16, 16, 2)).astype(np.float32)),
        torch.from_numpy(random.random((2, 16, 16)) > 0.5),
    )
    turned = mirrored(batch, torch.tensor([True, False]))

    def warped(one: PairBatch) -> torch.Tensor:
        return warp(one.reference_image.permute(0, 3, 1, 2).float(), one.flow.permute(0, 3, 1, 2))

    torch.testing.assert_close(warped(turned)[0], warped(batch)[0].flip(2), rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(warped(turned)[1], warped(batch)[1])
    assert torch.equal(turned.flow_visible[0], batch.flow_visible[0].flip(1)) and torch.equal(
        turned.flow_visible[1], batch.flow_visible[1]
    )


@pytest.fixture(scope="module")
def rendered(dancer_pack, tmp_path_factory):
    pytest.importorskip("numba")
    from dancepipe.filming.options import RenderDancersOptions
    from dancepipe.filming.render_dancers import render_dancers

    out = tmp_path_factory.mktemp("rendered")
    options = RenderDancersOptions(
        identities=2,
        frames=5,
        seed=3,
        size_px=64,
        assets=str(dancer_pack),
        workers=1,
        test_share=0.0,
        truth=True,
        lossless=True,
    )
    render_dancers(out, options)
    return out


@pytest.mark.parametrize("moves", [{}, {"turn": 15.0, "shift": 0.05, "zoom": 0.1}])
@pytest.mark.parametrize("side, limit", [(64, 0.06), (32, 0.06)])
def test_the_flow_of_a_rendered_pair_makes_the_target_of_the_reference(
    rendered, side, limit, moves
):
    source = PairSource(rendered, "train", (side, side), seed=0, with_flow=True)
    pairs = [
        pair for pair in (source[number] for number in range(40)) if pair["flow_visible"].any()
    ]
    assert len(pairs) > 8
    augmentation = Augmentation.drawn(
        replace(QUICK, batch=len(pairs), mirror=True, colour_jitter=0.0, **moves), 1, 1
    )
    pair = network_pair(collate(pairs), "cpu", augmentation)
    seen = pair.exact.visible > 0
    moved = (
        ((warp(pair.I_r, pair.exact.flow) - pair.I_t).abs() / 2).mean(1, keepdim=True)[seen].mean()
    )
    still = ((pair.I_r - pair.I_t).abs() / 2).mean(1, keepdim=True)[seen].mean()
    assert moved < limit and moved < still / 2


def test_training_against_the_exact_flow(rendered, tmp_path):
    weights = LossWeights(adversarial=0, flow_exact=50, flow_image=0, l1=0, matte=0)
    options = replace(
        QUICK, stage1_steps=2, stage2_steps=1, weights=weights, prior="none", sample_every=1000
    )
    source = PairSource(rendered, "train", (32, 32), seed=0, with_flow=True)
    pair = network_pair(
        collate(
            [
                pair
                for pair in (source[number] for number in range(40))
                if pair["flow_visible"].any()
            ][:4]
        ),
        "cpu",
    )
    torch.manual_seed(0)
    stage = Stage1(dims_of(options), options, None, ALONE)
    errors = [
        stage.step([pair], number, with_statistics=True)["flow_exact"] for number in range(80)
    ]
    assert errors[-1] < 0.5 * errors[0]

    train(rendered, tmp_path / "run", options)
    records = [
        json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    ]
    assert [record["stage"] for record in records if "flow_exact" in record] == [1, 1]
