"""The likeness of a person: what the network is given, that nobody is like nobody, and what is
said where there is no network."""

import numpy as np
import pytest
from figure import draw_figure, standing_pose
from metric_networks import write_colour_identity

from dancepipe.errors import WeightsError, WeightsMissingError
from dancepipe.evaluation.identity import likeness, open_reidentifier
from dancepipe.person.crop import body_bounds
from dancepipe.records import Pose

SIZE_WH = (200, 220)
POSE = standing_pose((100, 20), 180)
MEAN, STD = (
    np.array([0.485, 0.456, 0.406]),
    np.array([0.229, 0.224, 0.225]),
)  # of ImageNet, as the network was trained with


@pytest.fixture
def sees_colours(tmp_path, monkeypatch):
    write_colour_identity(tmp_path, monkeypatch)
    return open_reidentifier(tmp_path)


def box_of(pose: Pose) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (round(edge + 0.5) for edge in body_bounds(pose))
    return slice(max(y0, 0), y1), slice(max(x0, 0), x1)


def test_the_network_is_given_the_body_as_it_was_trained(sees_colours):
    """Red, green, blue in this order, of the body's bounds alone, less the mean and over the
    deviation."""
    picture = np.full((SIZE_WH[1], SIZE_WH[0], 3), (10, 200, 90), np.uint8)
    picture[box_of(POSE)] = (240, 100, 30)
    wanted = (np.array([240, 100, 30]) / 255 - MEAN) / STD
    assert sees_colours.features(picture, POSE) == pytest.approx(
        wanted / np.linalg.norm(wanted), abs=0.02
    )
    picture[:5] = 0  # outside
    assert np.array_equal(
        sees_colours.features(picture, POSE), sees_colours.features(picture.copy(), POSE)
    )


def test_who_stands_elsewhere_is_the_same_and_who_wears_other_clothes_is_not(sees_colours):
    elsewhere = POSE.scaled_and_shifted(1, (30, 10))
    own, moved = (
        draw_figure(pose, SIZE_WH, background=(124, 116, 104)) for pose in (POSE, elsewhere)
    )
    other = draw_figure(
        POSE, SIZE_WH, background=(124, 116, 104), shirt=(40, 170, 60), trousers=(200, 190, 60)
    )
    wanted = sees_colours.features(own, POSE)
    assert likeness(wanted, wanted) == pytest.approx(1)
    assert (
        likeness(sees_colours.features(moved, elsewhere), wanted)
        > 0.98
        > likeness(sees_colours.features(other, POSE), wanted) + 0.1
    )


def test_nobody_is_like_nobody(sees_colours):
    picture = draw_figure(POSE, SIZE_WH)
    nobody, outside = sees_colours.features(picture, None), POSE.scaled_and_shifted(1, (500, 0))
    somebody = sees_colours.features(picture, POSE)
    assert not nobody.any() and not sees_colours.features(picture, outside).any()
    assert likeness(nobody, somebody) == 0, "a person that was lost must not leave the mean"
    assert np.isnan(likeness(somebody, nobody)), "nothing to be like"
    assert likeness(
        np.stack([somebody, nobody]), np.stack([somebody, somebody])
    ).tolist() == pytest.approx([1, 0])


def test_absent_other_and_damaged_weights_are_named(tmp_path, monkeypatch):
    with pytest.raises(
        WeightsMissingError, match="no person_reid_youtu_2021nov.onnx .*opencv_zoo.*--fetch"
    ):
        open_reidentifier(tmp_path)
    (tmp_path / "person_reid_youtu_2021nov.onnx").write_bytes(b"another network")
    with pytest.raises(WeightsError, match="is not the published file"):
        open_reidentifier(tmp_path)
    write_colour_identity(tmp_path, monkeypatch, b"no network at all")
    with pytest.raises(WeightsError, match="OpenCV cannot read"):
        open_reidentifier(tmp_path)
