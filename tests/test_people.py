"""The people that evaluate sees: with every pose backend, kept between runs for exactly this
estimator, nobody without a mask."""

import numpy as np
import pytest
import torch
from figure import standing_pose
from people import dancer_frames

from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.evaluation.people import PeopleReader, pose_identity
from dancepipe.media.image import save_png
from dancepipe.pose.batch import PoseBatch
from dancepipe.records import BodyPose

POSE = standing_pose((160, 30), 250)
MOVED = POSE.scaled_and_shifted(1, (3, -4))


@pytest.fixture
def yolo_weights(monkeypatch):
    """A network file of random weights, which sees POSE in dark pictures and MOVED in light
    ones."""
    pytest.importorskip("ultralytics", reason="needs the extra yolo")
    import yolo_networks
    from ultralytics import YOLO

    path = yolo_networks.tiny_pose_file()
    monkeypatch.setattr(
        YOLO,
        "predict",
        lambda self, image, **rest: yolo_networks.seeing([POSE if image.mean() < 128 else MOVED])(
            image
        ),
    )
    return path


def noise(low: int, high: int) -> np.ndarray:
    return np.random.default_rng(0).integers(low, high, (300, 320, 3), dtype=np.uint8)


def reader(tmp_path, gives_masks=False, hands=False, **options) -> PeopleReader:
    return PeopleReader(
        EvaluateOptions(**options),
        "cpu",
        gives_masks=gives_masks,
        cache=tmp_path / "cache",
        hands=hands,
    )


def test_pre_with_yolo_is_the_shift_that_it_saw(tmp_path, yolo_weights):
    for folder, bounds in (("real", (0, 200)), ("fake", (56, 256))):
        for index in range(2):
            (tmp_path / folder).mkdir(exist_ok=True)
            save_png(tmp_path / folder / f"{index}.png", noise(*bounds))
    chosen = EvaluateOptions(
        metrics="pre,found",
        pose="yolo",
        yolo_weights=str(yolo_weights),
        cache="none",
        device="cpu",
        bootstrap=0,
    )
    scores = evaluate(real=tmp_path / "real", fake=tmp_path / "fake", options=chosen)
    assert (
        scores.methods["fake"]["pre"].value == pytest.approx(7, abs=1e-3)
        and scores.methods["fake"]["found"].value == 1
    )
    assert scores.protocol["networks"]["pose"] == pose_identity("yolo", str(yolo_weights))


def test_weights_of_one_name_are_not_taken_for_each_other(tmp_path):
    """Whoever trains on keeps the name best.pt; poses kept from the older one must not be used."""
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "best.pt").write_text(folder)
    first, second = (
        pose_identity("yolo", str(tmp_path / folder / "best.pt")) for folder in ("a", "b")
    )
    assert first != second and "best.pt" in first and str(tmp_path) not in first
    assert "yolo11n-pose.pt" in pose_identity("yolo", None) and "yolo" not in pose_identity(
        "mediapipe", None
    )


@pytest.mark.parametrize("hands", [False, True], ids=["without hands", "with hands"])
def test_real_people_are_looked_at_once(tmp_path, monkeypatch, hands):
    """Joints, landmarks with depth and hands come back as they were read."""
    pictures = np.stack([dancer_frames()[0], np.full_like(dancer_frames()[0], 180)])
    first = reader(tmp_path, hands=hands)
    read, nobody = first.real_bodies(pictures)
    assert nobody is None and read.landmarks is not None and (read.hands is not None) == hands
    assert_same(read, first.bodies(pictures)[0])
    first.close()
    again = reader(tmp_path, hands=hands)
    monkeypatch.setattr(again._finder, "find", lambda image: pytest.fail("looked at again"))
    assert_same(again.real_bodies(pictures)[0], read)
    assert again.real_bodies(pictures)[1] is None
    again.close()


def test_bodies_without_hands_are_not_taken_for_bodies_with_them(tmp_path):
    pictures = dancer_frames()[0][None]
    for hands in (False, True, False):
        one = reader(tmp_path, hands=hands)
        assert (one.real_bodies(pictures)[0].hands is not None) == hands
        one.close()


def assert_same(one: BodyPose, other: BodyPose) -> None:
    for name, values in vars(PoseBatch.of([one])).items():
        wanted = getattr(PoseBatch.of([other]), name)
        assert (values is None) == (wanted is None), name
        assert values is None or torch.equal(values, wanted), name


def test_nobody_has_an_empty_mask(tmp_path):
    pictures = np.stack([dancer_frames()[0], np.full_like(dancer_frames()[0], 180)])
    one = reader(tmp_path, gives_masks=True)
    poses, masks = one.bodies_and_masks(pictures)
    one.close()
    assert (
        poses[0] is not None
        and (masks[0] > 127).mean() > 0.05
        and poses[1] is None
        and not masks[1].any()
    )
