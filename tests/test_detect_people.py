"""The person detector, stage by stage. Reference numbers: mediapipe 0.10.14's own graph, same
pictures."""

import numpy as np
import pytest
from people import dancer_frames

from dancepipe.person.blazepose.detect_people import PeopleDetector, anchors, merge
from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.models import DETECTOR, read_model


@pytest.fixture(scope="module")
def detector():
    detector = PeopleDetector(Network(DETECTOR.name, read_model(DETECTOR)))
    yield detector
    detector.close()


def test_anchors_are_the_cells_of_three_grids():
    centers = anchors()
    assert centers.shape == (2254, 2)
    np.testing.assert_allclose(
        centers[[0, 1, 2]], [[0.5 / 28] * 2, [0.5 / 28] * 2, [1.5 / 28, 0.5 / 28]]
    )
    np.testing.assert_allclose(centers[2 * 28 * 28], [0.5 / 14] * 2)
    np.testing.assert_allclose(centers[-1], [6.5 / 7] * 2)


def test_boxes_of_one_person_become_their_mean_by_score():
    scores = np.array([0.3, 0.9, 0.6], np.float32)
    boxes = np.array(
        [[0.8, 0.5, 0.2, 0.2], [0.3, 0.5, 0.4, 0.8], [0.33, 0.5, 0.4, 0.8]], np.float32
    )
    (best, box), (second, other) = merge(scores, boxes)
    assert best == pytest.approx(0.9) and second == pytest.approx(0.3)
    np.testing.assert_allclose(box, [(0.3 * 0.9 + 0.33 * 0.6) / 1.5, 0.5, 0.4, 0.8], rtol=1e-6)
    np.testing.assert_array_equal(other, boxes[0])


def test_boxes_that_overlap_little_are_two_people():
    # 23 % of their union
    boxes = np.array([[0.3, 0.5, 0.4, 0.8], [0.55, 0.5, 0.4, 0.8]], np.float32)
    assert len(merge(np.array([0.9, 0.8], np.float32), boxes)) == 2


def test_nobody_and_a_box_without_area_end_the_search():
    assert merge(np.zeros(0, np.float32), np.zeros((0, 8), np.float32)) == []
    assert len(merge(np.array([0.9, 0.8], np.float32), np.zeros((2, 8), np.float32))) == 1


@pytest.mark.parametrize(
    ("frame", "center", "tip", "score"),
    [
        (0, (141.425, 155.925), (140.499, 34.138), 0.98607),
        (20, (104.389, 157.589), (103.518, 34.035), 0.98631),
    ],
)
def test_a_rendered_dancer_is_where_mediapipe_sees_her(detector, frame, center, tip, score):
    (region,) = detector.detect(dancer_frames()[frame])
    np.testing.assert_allclose(region.center_xy_px, center, atol=0.05)
    np.testing.assert_allclose(region.tip_xy_px, tip, atol=0.05)
    assert region.score == pytest.approx(score, abs=2e-4)


def test_two_people_are_two_regions_in_the_pictures_own_pixels(detector):
    frame = dancer_frames()[0]
    pair = np.concatenate([frame, frame], 1)
    regions = sorted(detector.detect(pair, min_score=0.5), key=lambda region: region.center_xy_px)
    assert len(regions) == 2
    step = np.subtract(regions[1].center_xy_px, regions[0].center_xy_px)
    np.testing.assert_allclose(step, [frame.shape[1], 0], atol=8)


def test_an_empty_picture_holds_nobody(detector):
    assert detector.detect(np.full((200, 300, 3), 128, np.uint8)) == []
