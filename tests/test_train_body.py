"""Training with the body as prior, from a data set to a weight file that draws."""

from dataclasses import replace

import pytest
import torch
from test_store import write
from test_train import QUICK

from dancepipe.data.pairs import PairSource, collate
from dancepipe.errors import ConfigError
from dancepipe.nn.tensors import to_picture
from dancepipe.systems.focus_retain.coarse_input import CoarseInput
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.open import open_system
from dancepipe.training.inputs import Augmentation, network_pair
from dancepipe.training.train import train

BODY = replace(QUICK, prior="body", stage1_steps=2, stage2_steps=1, sample_every=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for split, name in (("train", "ann"), ("test", "bob")):
        write(folder / split / f"{name}.parquet", 5, identity=name, split=split)
    return folder


def batch_of(data, count=2):
    source = PairSource(data, "train", (32, 32), seed=0)
    return collate([source[number] for number in range(count)])


def test_a_run_ends_in_weights_of_this_prior_that_draw(data, tmp_path):
    train(data, tmp_path / "run", BODY)
    weights = tmp_path / "run" / "weights.safetensors"
    networks = load_networks(weights)
    assert networks.dims.flow_attention.prior == "body" and networks.enhancer is not None
    pair, system = network_pair(batch_of(data), "cpu"), open_system(weights, "cpu")
    assert system.info.reads_hands
    batch = batch_of(data)
    drawn = system.draw(
        system.encode(batch.reference_image, batch.reference_mask, pair.poses_r), pair.poses_t
    )
    given = CoarseInput.of(pair, networks.flow_attention)
    with torch.no_grad():
        coarse = given.through(networks.flow_attention)
        final = networks.enhancer(coarse.coarse, coarse.matte_logits, given.J_t).final
    assert (drawn.pictures.int() - to_picture(final).int()).abs().max() <= 1, (
        "training and use read the same of a pair"
    )


def test_landmarks_undergo_what_the_pictures_do(data):
    options = replace(BODY, mirror=True, turn=10.0, shift=0.1, zoom=0.2)
    batch, moved = batch_of(data), Augmentation.drawn(options, 1, 0)
    moved = replace(moved, mirror=torch.tensor([True, False]))
    plain, changed = network_pair(batch, "cpu"), network_pair(batch, "cpu", moved)
    for side in "rt":
        landmarks, joints = (getattr(changed, f"{what}_{side}") for what in ("landmarks", "joints"))
        before = getattr(plain, f"landmarks_{side}")
        assert landmarks.shape == before.shape and not torch.equal(landmarks, before)
        assert torch.equal(landmarks[..., 3].sort(1)[0], before[..., 3].sort(1)[0])
        assert getattr(changed, f"hands_{side}").shape == (2, 2, 21, 4)
        for joint, landmark in ((4, 16), (7, 15)):  # the wrists
            wrist_before = getattr(plain, f"joints_{side}")[1, joint, :2]
            off = before[1, landmark, :2] - wrist_before
            move = getattr(moved, f"move_{side}")[1, :, :2]
            torch.testing.assert_close(
                landmarks[1, landmark, :2] - joints[1, joint, :2], move @ off, atol=1e-3, rtol=0
            )


def test_data_without_landmarks_are_refused_in_one_line(tmp_path):
    for split, name in (("train", "ann"), ("test", "bob")):
        write(tmp_path / split / f"{name}.parquet", 5, identity=name, split=split, landmarks=False)
    with pytest.raises(ConfigError, match="needs landmarks with depth.*mediapipe") as refused:
        train(tmp_path, tmp_path / "run", BODY)
    assert "\n" not in str(refused.value)
