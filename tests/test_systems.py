"""Every system keeps the contract of systems/system.py; and the weights that ship draw what they
drew when they were shipped."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from figure import draw_figure, standing_pose
from PIL import Image
from test_retarget import whole

from dancepipe.errors import ConfigError, WeightsError
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.skeleton import L_ANKLE, L_KNEE, R_ANKLE, R_ELBOW, R_KNEE, R_WRIST
from dancepipe.records import GREY, Pose
from dancepipe.systems.cocos.dims import CocosDims
from dancepipe.systems.fewshot.dims import FewshotDims
from dancepipe.systems.focus_retain.dims import EnhancerDims, FlowAttentionDims, ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.guided.dims import GuidedDims
from dancepipe.systems.names import SYSTEMS, system_of
from dancepipe.systems.open import open_system, open_unlearnt
from dancepipe.systems.shipped import find_weights
from dancepipe.systems.single.network import NETWORK
from dancepipe.systems.weights import WeightsInfo, save_weights
from dancepipe.training.options import TrainOptions

ROOT = Path(__file__).resolve().parents[1]
DATA = Path(__file__).parent / "data"
HEIGHT, WIDTH = 96, 64
UNLEARNT = ("copy", "limb_warp", "body")
TINY = {  # name: prior, attention module (False: GFLA's), enlarge, stage
    "focus_retain, stage 1": ("limbs", True, 1, 1),
    "focus_retain, both stages": ("limbs", True, 1, 2),
    "focus_retain, stage 1 at half size": ("limbs", True, 2, 1),
    "focus_retain, both stages, enlarged": ("limbs", True, 2, 2),
    "focus_retain, no prior": ("none", True, 1, 2),
    "focus_retain, body prior": ("body", True, 1, 1),
    "focus_retain, body prior, enlarged": ("body", True, 2, 2),
    "focus_retain, GFLA": ("none", False, 1, 1),
}
SINGLE = {  # name: dims of a system of one network
    "guided": GuidedDims((64, 64), nf=4, d=4, blocks=1),
    "guided, body prior": GuidedDims((64, 64), prior="body", nf=4, d=4, blocks=1),
    "cocos": CocosDims((64, 64), nf=4, h=8),
    "cocos, body prior": CocosDims((64, 64), prior="body", nf=4, h=8),
    "fewshot": FewshotDims((64, 64), nf=4, levels=3, generated=2, flow_blocks=1),
    "fewshot, body prior": FewshotDims(
        (64, 64), prior="body", nf=4, levels=3, generated=2, flow_blocks=1
    ),
}
LEARNT = [*TINY, *SINGLE]
CASES = [*UNLEARNT, *LEARNT]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Name -> a weight file of networks with numbers of their own in every parameter."""
    folder, files = tmp_path_factory.mktemp("weights"), {}
    for name, dims in SINGLE.items():
        torch.manual_seed(1)
        training = system_of(dims.system).training()
        network = training.networks(dims, TrainOptions(system=dims.system))["generator"]
        files[name] = _written(folder / f"{name}.safetensors", dims, 1, {NETWORK: network})
    for name, (prior, module, enlarge, stage) in TINY.items():
        dims = ModelDims(
            "tiny",
            (64, 64),
            FlowAttentionDims(8, attention_module=module, prior=prior),
            EnhancerDims(4, 8, keep=prior != "none"),
            enlarge,
        )
        torch.manual_seed(1)
        networks = {"flow_attention": FlowAttentionNetwork(dims.flow_attention)}
        if stage == 2:
            networks["enhancer"] = Enhancer(dims.enhancer)
        files[name] = _written(folder / f"{name}.safetensors", dims, stage, networks)
    return files


def _written(path, dims, stage, networks):
    with torch.no_grad():
        for network in networks.values():
            for parameter in network.parameters():
                parameter += 0.05 * torch.randn_like(parameter)
    save_weights(path, WeightsInfo(dims, stage, 7), networks)
    return path


def opened(case, weights, precision="fp32"):
    return (
        open_unlearnt(case, "cpu")
        if case in UNLEARNT
        else open_system(weights[case], "cpu", precision)
    )


@pytest.fixture(params=CASES)
def system(request, weights):
    return opened(request.param, weights)


def person(shirt=(170, 40, 45), height_px=80.0):
    """(image, mask, body) of a drawn person on grey."""
    pose = standing_pose((WIDTH / 2, 8), height_px)
    image = draw_figure(pose, (WIDTH, HEIGHT), background=(GREY,) * 3, shirt=shirt)
    mask = (np.abs(image.astype(int) - GREY).sum(2) > 12).astype(np.uint8) * 255
    return torch.from_numpy(image.copy()), torch.from_numpy(mask), whole(pose)


def references():
    """Two people: images (2, H, W, 3), masks (2, H, W), their poses."""
    images, masks, poses = zip(person(), person((40, 60, 150), 70.0))
    return torch.stack(images), torch.stack(masks), PoseBatch.of(poses)


def first_of(people):
    return tuple(one[:1] for one in people)


def targets(count: int = 3) -> PoseBatch:
    """Poses around the standing one."""
    poses = PoseBatch.of([person()[2]] * count)
    joints, landmarks = poses.joints.clone(), poses.landmarks.clone()
    generator = torch.Generator().manual_seed(0)
    joints[..., :2] += 3 * torch.randn(count, 18, 2, generator=generator)
    landmarks[..., :3] += 3 * torch.randn(count, 33, 3, generator=generator)
    return PoseBatch(joints, landmarks, poses.hands)


def values(drawn) -> torch.Tensor:
    """int (B, H, W, 4): pictures and mattes."""
    return torch.cat((drawn.pictures, drawn.mattes[..., None]), 3).int()


def test_results_are_pictures_and_mattes_of_the_references_size(system):
    drawn = system.draw(system.encode(*first_of(references())), targets())
    assert drawn.pictures.shape == (3, HEIGHT, WIDTH, 3) and drawn.mattes.shape == (
        3,
        HEIGHT,
        WIDTH,
    )
    for one in (drawn.pictures, drawn.mattes):
        assert one.dtype == torch.uint8 and one.device.type == "cpu" and one.is_contiguous()
    made = values(drawn)
    assert made.float().std() > 5
    assert torch.equal(made[0], made[1]) == (system.info.name == "copy")


def test_a_reference_that_is_encoded_once_gives_what_it_gives_encoded_each_time(system):
    people, poses = first_of(references()), targets()
    state = system.encode(*people)
    for number in range(len(poses)):
        once = system.draw(state, poses[number])
        anew = system.draw(system.encode(*people), poses[number])
        assert torch.equal(values(once), values(anew))


def test_a_batch_gives_what_its_members_give_alone(system):
    people, poses = references(), targets(2)
    together = values(system.draw(system.encode(*people), poses))
    one_reference = values(system.draw(system.encode(*first_of(people)), poses))
    for number in range(2):
        own = system.encode(*(one[number : number + 1] for one in people))
        for batch, state in ((together, own), (one_reference, system.encode(*first_of(people)))):
            off = (batch[number] - values(system.draw(state, poses[number]))[0]).abs()
            # Convolutions round otherwise; by it, a pixel between two limbs may change sides.
            assert (off > 1).float().mean() < 1e-3 and off.float().mean() < 0.01


def test_nothing_that_is_drawn_changes_what_is_drawn_next(system):
    state, poses = system.encode(*first_of(references())), targets(2)
    before = system.draw(state, poses[0])
    kept = values(before).clone()
    system.draw(state, poses[1])
    for one in (before.pictures, before.mattes):  # a result is the caller's own
        one.numpy()[:] = 0
    assert torch.equal(values(system.draw(state, poses[0])), kept)


def test_what_it_is_given_stays_as_it_was(system):
    people, poses = references(), targets(2)
    system.draw(system.encode(*people), poses)
    for got, wanted in zip(people[:2], references()[:2]):
        assert torch.equal(got, wanted)
    assert torch.equal(people[2].joints, references()[2].joints)
    assert torch.equal(poses.joints, targets(2).joints)
    assert torch.equal(poses.landmarks, targets(2).landmarks)


@pytest.mark.parametrize(
    "missing",
    [[R_WRIST], [R_KNEE, L_KNEE, R_ANKLE, L_ANKLE], [R_ELBOW, R_WRIST], list(range(18))],
    ids=["a hand", "legs", "an arm", "everything"],
)
def test_joints_that_are_not_seen_have_no_say(system, missing):
    made = []
    for point in (0.0, 31.0):  # what a missing joint's point is, means nothing
        images, masks, poses_r = first_of(references())
        poses_t = targets(2)
        for poses in (poses_r, poses_t):
            poses.joints[:, missing] = torch.tensor([point, point, 0.0])
        made.append(values(system.draw(system.encode(images, masks, poses_r), poses_t)))
    assert made[0].shape == (2, HEIGHT, WIDTH, 4) and torch.equal(*made)


def test_other_numbers_and_shapes_are_refused(system):
    images, masks, poses = references()
    state = system.encode(images, masks, poses)
    with pytest.raises(ValueError, match="2 references cannot serve 3 targets"):
        system.draw(state, targets(3))
    for wrong in (
        (images, masks[:1], poses),
        (images, masks, poses[0]),
        (images[0], masks[0], poses[0]),
        (images, masks[:, :32], poses),
    ):
        with pytest.raises(ValueError, match="references need pictures"):
            system.encode(*wrong)


@pytest.mark.parametrize("case", CASES)
def test_low_precision_is_nearly_the_same(case, weights):
    plain, low = (
        values(system.draw(system.encode(*first_of(references())), targets(1)))
        for system in (opened(case, weights), opened(case, weights, "bf16"))
    )
    off = (plain - low).abs().float().mean()
    assert off == 0 if case in UNLEARNT else 0 < off < 3


def test_each_says_who_it_is(weights):
    for case in CASES:
        info = opened(case, weights).info
        assert info.name == case.split(",")[0] and info.name in SYSTEMS
        if case in UNLEARNT:
            assert (info.size_hw, info.preset, info.remark) == (None, None, None)
        else:
            assert (info.size_hw, info.preset) == (
                (64, 64),
                SINGLE[case].preset if case in SINGLE else "tiny",
            )
    whole = opened("focus_retain, both stages", weights).info
    half = opened("focus_retain, stage 1 at half size", weights).info
    assert (whole.parts, whole.remark) == ("stage 1 and 2", None)
    assert half.parts == "stage 1 only, stage 1 at 32 x 32" and "no enhancer" in half.remark


@pytest.mark.parametrize("case", LEARNT)
def test_saved_and_loaded_it_draws_the_same(case, weights, tmp_path):
    loaded = system_of(case.split(",")[0]).training().load(weights[case])
    parts = {name: getattr(loaded, name, None) for name in ("flow_attention", "enhancer", NETWORK)}
    save_weights(
        tmp_path / "again.safetensors",
        loaded.info,
        {name: part for name, part in parts.items() if part is not None},
    )
    first, again = (
        values(system.draw(system.encode(*first_of(references())), targets(2)))
        for system in (
            open_system(weights[case], "cpu"),
            open_system(tmp_path / "again.safetensors", "cpu"),
        )
    )
    assert torch.equal(first, again)


def test_a_body_without_depth_is_refused():
    images, masks, poses = references()
    with pytest.raises(ConfigError, match="needs landmarks with depth.*mediapipe"):
        open_unlearnt("body", "cpu").encode(images, masks, PoseBatch(poses.joints))


def test_every_system_is_found_by_its_name_and_no_other():
    assert [system_of(name).name for name in SYSTEMS] == list(SYSTEMS)
    for unknown in ("focus", "", "copy\n", None):
        with pytest.raises(ConfigError, match="unknown system .*; known are focus_retain, guided"):
            system_of(unknown)
    with pytest.raises(ConfigError, match="the system focus_retain needs weights"):
        open_unlearnt("focus_retain", "cpu")
    with pytest.raises(WeightsError, match="no weights at"):
        open_system("absent.safetensors", "cpu")


def test_the_shipped_weights_draw_what_they_always_drew():
    """shipped_frames.png holds the means of 8 x 8 pixels of three pictures and their mattes, side
    by side, as the code before there were systems drew them."""
    case = json.loads((DATA / "shipped.json").read_text())
    mask = np.array(Image.open(DATA / "shipped_mask.png").convert("L"))
    photo = Image.open(ROOT / "samples" / "reference.png").convert("RGB").crop(case["crop_xyxy"])
    photo = np.asarray(photo.resize(mask.shape[::-1], Image.Resampling.BILINEAR))
    image = np.where(mask[..., None] > 0, photo, GREY).astype(np.uint8)
    reference, *poses = (
        Pose.from_array(np.array(joints)) for joints in (case["reference"], *case["targets"])
    )
    system = open_system(find_weights(None), "cpu")
    state = system.encode(
        torch.from_numpy(image[None]), torch.from_numpy(mask[None]), PoseBatch.of([reference])
    )
    made = values(system.draw(state, PoseBatch.of(poses))).numpy()
    means = np.concatenate(list(made.reshape(3, 32, 8, 32, 8, 4).mean((2, 4))), 1)
    wanted = np.asarray(Image.open(DATA / "shipped_frames.png")).astype(float)
    assert np.abs(means - wanted).max() <= 1.0 and wanted.std() > 30
