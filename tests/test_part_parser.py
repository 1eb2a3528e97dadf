"""The part parser against rendered people, whose labels are exact, and what the body makes of
labels."""

import hashlib
from importlib.resources import files

import numpy as np
import pytest
from dancer_pack import dancer_pack  # noqa: F401
from test_posing import TORSO_PX, at_rest

from dancepipe.body import part_parser
from dancepipe.body.hair import find_hair_end, hair_triangles, is_seen_as_hair
from dancepipe.body.hem import find_hem
from dancepipe.body.mesh import PARTS, Part, load_mesh
from dancepipe.body.part_parser import CLASSES, SHA256, PartLabels, parse_parts
from dancepipe.body.trust import trusted
from dancepipe.errors import WeightsError
from dancepipe.skeletons import BLAZEPOSE_33, OPENPOSE_18
from dancepipe.synthetic.assets import load_assets
from dancepipe.synthetic.figure import LABELS
from dancepipe.synthetic.flow import part_labels
from dancepipe.synthetic.frames import FrameOptions, frames_of_person
from dancepipe.synthetic.joints import SEEN
from dancepipe.synthetic.part_classes import part_classes
from dancepipe.synthetic.person import draw_person

SIZE_HW = (600, 400)
SOLID = np.full(SIZE_HW, 255, np.uint8)  # a mask that says nothing


@pytest.fixture(scope="module")
def rendered(dancer_pack):
    """(frame, classes, labels) of four people."""
    assets = load_assets(dancer_pack)
    found = []
    for number in range(4):
        person = draw_person(assets, (77, number))
        for frame in frames_of_person(assets, person, 77, number, 3, FrameOptions(128)):
            classes = part_classes(person.figure, assets.body.bones, frame.view)
            found.append((frame, classes, part_labels(person.figure, frame.view)))
    return found


def landmarks_of(joints: np.ndarray) -> np.ndarray:
    """(33, 4) that show these 18 joints and nothing else."""
    landmarks = np.zeros((33, 4))
    for number, name in enumerate(OPENPOSE_18.joints):
        if name != "neck":
            landmarks[BLAZEPOSE_33.index(name), [0, 1, 3]] = joints[number]
    return landmarks


def labels_of(name: str, where: np.ndarray) -> PartLabels:
    """All that is `where` is sure to be of one class, the rest background."""
    label = np.where(where, CLASSES.index(name), 0).astype(np.uint8)
    return PartLabels(label, np.ones(label.shape, np.float32))


def test_the_file_is_the_one_that_was_trained_and_small():
    data = (files("dancepipe") / "weights" / "part-parser.safetensors").read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256 and len(data) <= 1_500_000


@pytest.mark.parametrize("content, words", [(None, "cannot be read"), (b"x", "is not the file")])
def test_another_file_is_refused_in_one_line(tmp_path, monkeypatch, content, words):
    (tmp_path / "weights").mkdir()
    if content is not None:
        (tmp_path / "weights" / "part-parser.safetensors").write_bytes(content)
    monkeypatch.setattr(part_parser, "files", lambda package: tmp_path)
    with pytest.raises(WeightsError, match=words) as refused:
        part_parser.shared_parser.__wrapped__()
    assert "\n" not in str(refused.value)


def test_exact_classes_lie_where_the_joints_are(rendered):
    looked_at = 0
    y, x = np.mgrid[:128, :128]
    for frame, classes, labels in rendered:
        np.testing.assert_array_equal(classes > 0, labels > 0)
        np.testing.assert_array_equal(
            classes == CLASSES.index("skirt"), labels == LABELS.index("skirt")
        )
        arms = np.isin(classes, [CLASSES.index("forearm"), CLASSES.index("hand")])
        for side in ("left", "right"):
            number = OPENPOSE_18.joints.index(f"{side}_wrist")
            if frame.visibility[number] == SEEN:
                wrist = frame.pose.points_px[number]
                assert np.hypot(x - wrist[0], y - wrist[1])[arms].min() < 4
                looked_at += 1
    assert looked_at > 8


def test_the_parser_agrees_with_exact_labels(rendered):
    agreed, mirrored = [], []
    for frame, classes, _ in rendered:
        landmarks = landmarks_of(frame.pose.as_array())
        said = parse_parts(frame.image, frame.mask, landmarks)
        person = classes > 0
        agreed.append((said.label == classes)[person].mean())
        other = landmarks[BLAZEPOSE_33.mirror].copy()
        other[:, 0] = 127 - other[:, 0]
        flipped = parse_parts(
            np.ascontiguousarray(frame.image[:, ::-1]), frame.mask[:, ::-1].copy(), other
        )
        mirrored.append((flipped.label[:, ::-1] == said.label)[person].mean())
    assert np.mean(agreed) > 0.7, np.round(agreed, 2)
    assert np.mean(mirrored) > 0.85


def test_hands_lie_where_the_landmarks_have_them(rendered):
    hand, looked_at = CLASSES.index("hand"), 0
    names = ("wrist", "index_finger", "little_finger")
    points = [
        BLAZEPOSE_33.joints.index(f"{side}_{name}") for side in ("left", "right") for name in names
    ]
    for frame, _, _ in rendered:
        landmarks = landmarks_of(frame.pose.as_array())
        looked_at += (parse_parts(frame.image, frame.mask, landmarks).label == hand).sum()
        landmarks[points, :2] = [-500, -500]
        assert (parse_parts(frame.image, frame.mask, landmarks).label != hand).all()
    assert looked_at > 100


def test_a_picture_of_any_shape_gets_labels_of_its_size(rendered):
    frame = rendered[0][0]
    wide = np.pad(frame.image, ((0, 0), (60, 60), (0, 0)), constant_values=128)
    mask = np.pad(frame.mask, ((0, 0), (60, 60)))
    landmarks = landmarks_of(frame.pose.as_array())
    landmarks[:, 0] += 60
    said = parse_parts(wide, mask, landmarks)
    assert said.label.shape == said.sure.shape == mask.shape
    assert (said.label[mask > 200] > 0).mean() > 0.9
    assert (said.label[mask == 0] == 0).mean() > 0.95


def legs() -> tuple[np.ndarray, np.ndarray]:
    """x, y of the pixels of the picture in which the body is at rest."""
    return np.mgrid[: SIZE_HW[0], : SIZE_HW[1]][::-1]


@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_skirt_ends_where_its_labels_end(share):
    mesh, landmarks = load_mesh(), at_rest()
    x, y = legs()
    hips, ankles = landmarks[[23, 24], 1].mean(), landmarks[[27, 28], 1].mean()
    end = hips + share * (ankles - hips)
    labels = labels_of("skirt", (y < end) & (y > hips - 20))
    hem = find_hem(mesh, landmarks, labels, SOLID, TORSO_PX)
    at_hips, at_ankles = (mesh.landmarks_dm[points, 1].mean() for points in ([23, 24], [27, 28]))
    assert hem == pytest.approx(at_hips + share * (at_ankles - at_hips), abs=0.4)


def test_trousers_and_the_hem_of_a_shirt_are_no_skirt():
    mesh, landmarks = load_mesh(), at_rest()
    x, y = legs()
    hips, ankles = landmarks[[23, 24], 1].mean(), landmarks[[27, 28], 1].mean()
    short = labels_of("torso", y < hips + 0.1 * (ankles - hips))
    assert find_hem(mesh, landmarks, short, SOLID, TORSO_PX) is None
    middle = np.abs(x - landmarks[[23, 24], 0].mean())
    apart = labels_of("skirt", (y > hips - 20) & (y < ankles) & (middle > 5))  # a gap between
    assert find_hem(mesh, landmarks, apart, SOLID, TORSO_PX) is None


@pytest.mark.parametrize("end, is_dress", [(0.75, True), (0.4, False)])
@pytest.mark.parametrize("opens_px", [2, 60])
def test_a_straight_dress_that_is_taken_for_legs_ends_where_the_legs_come_apart_at_once(
    end, is_dress, opens_px
):
    mesh, landmarks = load_mesh(), at_rest()
    x, y = legs()
    hips, ankles = landmarks[[23, 24], 1].mean(), landmarks[[27, 28], 1].mean()
    hem = hips + end * (ankles - hips)
    middle = np.abs(x - landmarks[[23, 24], 0].mean())
    gap = middle < np.clip((y - hem) / opens_px, 0, 1) * np.ptp(landmarks[[25, 26], 0]) * 0.45
    found = find_hem(mesh, landmarks, labels_of("legs", ~gap), SOLID * ~gap, TORSO_PX)
    assert (found is not None) == (is_dress and opens_px == 2)


def test_of_legs_apart_no_hem_is_told():
    mesh, landmarks = load_mesh(), at_rest()
    everywhere = labels_of("skirt", np.ones(SIZE_HW, bool))
    assert find_hem(mesh, landmarks, everywhere, SOLID, TORSO_PX) is not None
    landmarks[25, 0] += 0.5 * TORSO_PX
    landmarks[26, 0] -= 0.5 * TORSO_PX
    assert find_hem(mesh, landmarks, everywhere, SOLID, TORSO_PX) is None


def test_long_hair_ends_where_its_labels_end():
    mesh, landmarks, mask = load_mesh(), at_rest(), np.full(SIZE_HW, 255, np.uint8)
    x, y = legs()
    mouth, shoulders = landmarks[[9, 10], 1].mean(), landmarks[[11, 12], 1].mean()
    beside = np.abs(x - landmarks[0, 0])
    long = labels_of(
        "hair", (y > mouth - 40) & (y < shoulders + 20) & (beside > 15) & (beside < 35)
    )
    end = find_hair_end(mesh, landmarks, long, mask, TORSO_PX)
    scale = TORSO_PX / np.ptp(mesh.landmarks_dm[[11, 23], 1])
    expected = mesh.landmarks_dm[11, 1] - 20 / scale
    assert end == pytest.approx(expected, abs=0.6)
    short = labels_of("hair", (y > mouth - 40) & (y < mouth - 5) & (beside < 25))
    assert find_hair_end(mesh, landmarks, short, mask, TORSO_PX) is None
    worn = hair_triangles(mesh, end)
    assert worn.any() and (mesh.triangle_part[worn] == PARTS.index(Part.HAIR)).all()
    assert worn.sum() < hair_triangles(mesh, end - 2).sum()


def test_a_ponytail_is_no_curtain():
    shell = np.zeros((20, 20), bool)
    shell[5:15, 4:16] = True
    x = np.arange(20)[None].repeat(20, 0)
    assert is_seen_as_hair(shell, labels_of("hair", x < 14))
    assert not is_seen_as_hair(shell, labels_of("hair", (x > 8) & (x < 12)))
    assert is_seen_as_hair(np.zeros((20, 20), bool), labels_of("hair", x < 0))


def test_what_the_labels_see_otherwise_is_not_believed():
    part = np.full((60, 60), PARTS.index(Part.TORSO))
    depth = np.zeros((60, 60), np.float32)
    colours = np.full((60, 60, 3), 90, np.float32)
    mask = np.full((60, 60), 255, np.uint8)
    x = np.arange(60)[None].repeat(60, 0)

    def trust(labels: PartLabels, shoulders=((1e4, 1e4), (1e4, 1e4))) -> np.ndarray:
        landmarks = at_rest()
        landmarks[[11, 12], :2] = shoulders
        return trusted(part, depth, colours, mask, labels, landmarks, 50.0)

    arm = labels_of("forearm", x < 20)
    assert (trust(arm)[x < 20] == 0).all() and (trust(arm)[x > 23] == 1).all()
    assert (trust(arm)[x == 20] == 0).all()  # colours of both are mixed there
    unsure = PartLabels(arm.label, np.full((60, 60), 0.4, np.float32))
    assert (trust(unsure) == 1).all()
    assert (trust(labels_of("hair", x < 20)) == 1).all()  # it lies on shoulders
    at_shoulder = trust(labels_of("upper_arm", x < 20), ((0, 30), (1e4, 0)))
    assert at_shoulder[30, 5] == 1 and at_shoulder[30, 18] == 0


def test_a_hand_in_a_pocket_has_no_colour_of_its_own():
    """The labels take the pocket for a hand; it has the colour of the trousers."""
    y, x = np.mgrid[:60, :60]
    part = np.where(x < 30, PARTS.index(Part.HAND_LEFT), PARTS.index(Part.THIGH_LEFT))
    label = np.where(y < 20, CLASSES.index("face"), CLASSES.index("hand"))
    label[x >= 30] = CLASSES.index("legs")
    labels = PartLabels(label.astype(np.uint8), np.ones((60, 60), np.float32))
    skin, trousers = np.array([200, 150, 130]), np.array([40, 40, 70])
    colours = np.where(((y < 40) & (x < 30))[..., None], skin, trousers).astype(np.float32)
    mask = np.full((60, 60), 255, np.uint8)
    landmarks = at_rest()
    landmarks[[11, 12], :2] = 1e4
    trust = trusted(part, np.zeros((60, 60), np.float32), colours, mask, labels, landmarks, 50.0)
    hand = (x < 24) & (y > 24)
    assert (trust[hand & (y < 40)] == 1).all() and (trust[hand & (y >= 40)] == 0).all()


@pytest.mark.parametrize("bent", [False, True])
def test_a_shirt_is_believed_over_straight_thighs_alone(bent):
    part = np.full((60, 60), PARTS.index(Part.THIGH_LEFT))
    x = np.arange(60)[None].repeat(60, 0)
    landmarks = at_rest()
    if bent:  # the knee points to the viewer
        line = landmarks[25, :3] - landmarks[23, :3]
        landmarks[25, :3] = landmarks[23, :3] + [0, 0.4 * line[1], -4 * abs(line[1])]
    flat, everywhere = np.zeros((60, 60), np.float32), np.full((60, 60), 255, np.uint8)
    colours = np.full((60, 60, 3), 90, np.float32)
    trust = trusted(part, flat, colours, everywhere, labels_of("torso", x < 20), landmarks, 50.0)
    assert (trust[x < 20] == (0 if bent else 1)).all() and (trust[x > 30] == 1).all()
