"""Stage 1 at half the size: what the enhancer reads is the enlarged coarse picture, in training,
evaluate and animate alike."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from people import SAMPLES, write_dance
from test_pair_list import write_people
from test_train import QUICK

from dancepipe.data.pairs import PairSource, collate
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.evaluation.render import render_pairs
from dancepipe.geometry import shrunk_joints
from dancepipe.media.probe import probe_video
from dancepipe.nn.tensors import mask_to_network, to_network, to_picture
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.priors.limbs import limb_prior
from dancepipe.records import BodyPose, Pose
from dancepipe.rendering.animate import animate
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.reference import Reference
from dancepipe.rendering.render import Renderer
from dancepipe.systems.focus_retain.coarse_input import CoarseInput
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.focus_retain.renderer import FocusRetain
from dancepipe.systems.focus_retain.sizes import shrunk_pictures
from dancepipe.systems.weights import read_tensors
from dancepipe.training.inputs import network_pair
from dancepipe.training.train import train

LARGE = replace(
    QUICK, height_px=64, width_px=64, enlarge=2, stage1_steps=3, stage2_steps=3, sample_every=3
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("large")
    write_people(folder / "data")  # 64 x 64
    (folder / "data" / "train").symlink_to(folder / "data" / "test")
    train(folder / "data", folder / "run", LARGE)
    return folder


@pytest.fixture(scope="module")
def pairs(run):
    source = PairSource(run / "data", "test", (64, 64), seed=0)
    return collate([source[number] for number in range(2)])


def test_weights_say_both_sizes(run):
    networks = load_networks(run / "run" / "weights.safetensors")
    assert networks.dims.size_hw == (64, 64) and networks.dims.coarse_hw == (32, 32)
    first, final = (
        read_tensors(run / "run" / name)[0]
        for name in ("stage1.safetensors", "weights.safetensors")
    )
    assert all(torch.equal(tensor, final[name]) for name, tensor in first.items()), (
        "stage 1 is frozen"
    )
    grids = sorted(path.name for path in (run / "run" / "samples").iterdir())
    assert grids == ["stage1-0000003.png", "stage2-0000003.png"]


def by_hand(networks, batch) -> torch.Tensor:
    """Final pictures as the docstring says, from the whole pictures."""
    I_r = torch.nn.functional.avg_pool2d(to_network(batch.reference_image), 2)
    matte_r = torch.nn.functional.avg_pool2d(mask_to_network(batch.reference_mask), 2)
    joints_r, joints_t = (
        joints.clone() for joints in (batch.reference_joints, batch.target_joints)
    )
    for joints in (joints_r, joints_t):
        joints[..., :2] = joints[..., :2] / 2 - 0.25
    maps = [
        draw(joints, 32, 32) for draw in (heat_maps, joint_map) for joints in (joints_r, joints_t)
    ]
    with torch.no_grad():
        made = networks.flow_attention(I_r, *maps, limb_prior(I_r, matte_r, joints_r, joints_t))
        coarse, matte = (
            torch.nn.functional.interpolate(one, size=(64, 64), mode="bilinear")
            for one in (made.coarse, made.matte_logits)
        )
        return networks.enhancer(coarse, matte, joint_map(batch.target_joints, 64, 64)).final


def rendered(networks, batch) -> np.ndarray:
    """As evaluate does it."""
    poses_r, poses_t = (
        PoseBatch(joints) for joints in (batch.reference_joints, batch.target_joints)
    )
    system = FocusRetain(networks, "cpu", "fp32")
    return render_pairs(system, batch.reference_image, batch.reference_mask, poses_r, poses_t)


def test_evaluate_and_animate_render_what_is_written_here(run, pairs):
    networks = load_networks(run / "run" / "weights.safetensors")
    wanted = to_picture(by_hand(networks, pairs)).int()
    made = torch.from_numpy(rendered(networks, pairs))
    assert made.shape == (2, 64, 64, 3) and (made.int() - wanted).abs().max() <= 1
    image, mask, pose = (
        pairs.reference_image[0].numpy(),
        pairs.reference_mask[0].numpy(),
        Pose.from_array(pairs.reference_joints[0].numpy()),
    )
    system = FocusRetain(networks, "cpu", "fp32")
    renderer = Renderer(system, [Reference(image, mask, BodyPose(pose), image, mask)])
    pictures, mattes = renderer.render([Pose.from_array(pairs.target_joints[0].numpy())])
    assert np.abs(pictures[0].astype(int) - wanted[0].numpy()).max() <= 1 and mattes.shape == (
        1,
        64,
        64,
    )


def test_stage_1_weights_give_the_enlarged_picture(run, pairs):
    networks = load_networks(run / "run" / "stage1.safetensors")
    made = torch.from_numpy(rendered(networks, pairs))
    small = torch.nn.functional.avg_pool2d(made.permute(0, 3, 1, 2).float(), 2)
    again = torch.nn.functional.interpolate(small, scale_factor=2, mode="bilinear")
    assert made.shape == (2, 64, 64, 3) and (again - made.permute(0, 3, 1, 2)).abs().mean() < 3, (
        "nothing finer than 32 x 32 is in it"
    )


def test_what_stage_1_reads_is_the_pair_of_shrunk_pictures(run, pairs):
    pair = network_pair(pairs, "cpu")
    network = load_networks(run / "run" / "weights.safetensors").flow_attention
    whole, small = (CoarseInput.of(pair, network, enlarge) for enlarge in (1, 2))
    assert whole.I_r is pair.I_r
    torch.testing.assert_close(small.I_r, torch.nn.functional.avg_pool2d(pair.I_r, 2))
    torch.testing.assert_close(small.S_t, heat_maps(shrunk_joints(pair.joints_t, 2), 32, 32))
    torch.testing.assert_close(small.J_t, joint_map(shrunk_joints(pair.joints_t, 2), 32, 32))
    places = torch.arange(32.0)
    for drawn_anew, drawing_shrunk in (
        (small.S_t, shrunk_pictures(whole.S_t, 2)),
        (small.S_r, shrunk_pictures(whole.S_r, 2)),
    ):
        across, across_shrunk = (
            (maps.sum(2) * places).sum(2) / maps.sum((2, 3))
            for maps in (drawn_anew, drawing_shrunk)
        )
        assert (across - across_shrunk).abs().max() < 0.05, (
            "a joint lies where the shrunk drawing has it"
        )


def test_a_whole_run_can_be_scored_and_animated(run, tmp_path):
    weights = run / "run" / "weights.safetensors"
    settings = EvaluateOptions(
        metrics="l1",
        baselines="copy",
        pairs_per_person=1,
        min_pose_change=0.1,
        device="cpu",
        cache="none",
    )
    scores = evaluate(weights=weights, data=run / "data", options=settings)
    assert scores.protocol["size_hw"] == [64, 64] and 0 < scores.methods["network"]["l1"].value < 1
    write_dance(tmp_path / "dance.mp4", frames=3)
    animate(
        SAMPLES / "reference.png",
        tmp_path / "dance.mp4",
        tmp_path / "out.mp4",
        weights,
        AnimateOptions(device="cpu"),
    )
    assert probe_video(tmp_path / "out.mp4").size_wh == (224, 320)


def test_stage_1_of_a_smaller_run_serves(run, tmp_path, said):
    small = replace(LARGE, height_px=32, width_px=32, enlarge=1, stage2_steps=0)
    train(run / "data", tmp_path / "small", small)
    said.clear()
    train(
        run / "data",
        tmp_path / "large",
        replace(LARGE, init=str(tmp_path / "small" / "weights.safetensors"), stage1_steps=0),
    )
    first, final = (
        read_tensors(tmp_path / name / "weights.safetensors")[0] for name in ("small", "large")
    )
    assert all(torch.equal(tensor, final[name]) for name, tensor in first.items()) and any(
        name.startswith("enhancer.") for name in final
    )
    assert load_networks(tmp_path / "large" / "weights.safetensors").dims.enlarge == 2
