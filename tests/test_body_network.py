"""The body network, stage by stage. Reference numbers: mediapipe 0.10.14's own graph, same pictures
and regions."""

import numpy as np
import pytest
from people import dancer_frames

from dancepipe.person.blazepose.body_network import BodyNetwork, refine
from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.models import BODY, read_model
from dancepipe.person.blazepose.region import Region

REGIONS = {  # frame -> where the detector sees the dancer
    0: Region((141.42526, 155.92516), (140.49911, 34.13813)),
    20: Region((104.38908, 157.58883), (103.51833, 34.03541)),
}
POINTS = [0, 7, 12, 16, 20, 24, 28, 32]
LANDMARKS = {  # x, y, visibility, depth, presence of POINTS
    0: [
        (142.103, 63.686, 1.000, -147.691, 1.000), (151.058, 61.913, 1.000, -81.560, 1.000),
        (117.554, 89.911, 1.000, -12.309, 1.000), (101.653, 124.715, 0.981, -177.287, 1.000),
        (108.328, 129.599, 0.963, -207.541, 1.000), (126.839, 159.334, 1.000, 23.196, 1.000),
        (117.274, 256.062, 0.968, 101.732, 0.999), (100.516, 273.187, 0.959, 56.119, 0.993),
    ],
    20: [
        (102.719, 62.684, 1.000, -118.054, 1.000), (112.327, 61.828, 1.000, -50.615, 1.000),
        (79.718, 91.533, 1.000, -7.732, 1.000), (83.350, 118.121, 0.988, -178.911, 1.000),
        (89.404, 112.457, 0.976, -205.555, 1.000), (89.719, 161.925, 1.000, 5.506, 0.999),
        (103.178, 268.226, 0.992, 101.829, 0.998), (95.292, 285.020, 0.987, 43.242, 0.988),
    ],
}  # fmt: skip
NEXT_REGIONS = {
    0: ((139.9153, 159.9549), (144.7570, 33.3588)),
    20: ((103.3665, 160.9454), (104.6606, 36.5745)),
}
MASK_SUMS = {0: 11074.6, 20: 10476.6}


@pytest.fixture(scope="module")
def bodies():
    bodies = BodyNetwork(Network(BODY.name, read_model(BODY)), mask=True)
    yield bodies
    bodies.close()


@pytest.mark.parametrize("frame", REGIONS)
def test_a_rendered_dancer_is_read_as_mediapipe_reads_her(bodies, frame):
    body = bodies.read(dancer_frames()[frame], REGIONS[frame])
    truth = np.array(LANDMARKS[frame])
    assert body.landmarks.shape == (33, 5) and body.landmarks.dtype == np.float32
    np.testing.assert_allclose(body.landmarks[POINTS, :2], truth[:, :2], atol=0.1)
    np.testing.assert_allclose(body.landmarks[POINTS][:, [2, 4]], truth[:, [2, 4]], atol=0.01)
    np.testing.assert_allclose(body.landmarks[POINTS, 3], truth[:, 3], atol=1.0)
    np.testing.assert_allclose(body.next_region.center_xy_px, NEXT_REGIONS[frame][0], atol=0.1)
    np.testing.assert_allclose(body.next_region.tip_xy_px, NEXT_REGIONS[frame][1], atol=0.1)
    assert body.mask.shape == dancer_frames()[frame].shape[:2]
    assert body.mask.sum() == pytest.approx(MASK_SUMS[frame], rel=5e-3)
    assert body.mask[10, 10] < 0.01 and 0 <= body.mask.min() and body.mask.max() <= 1


def test_the_next_region_reads_the_same_body(bodies):
    frame = dancer_frames()[0]
    first = bodies.read(frame, REGIONS[0])
    again = bodies.read(frame, first.next_region)
    distances = np.hypot(*(first.landmarks[:, :2] - again.landmarks[:, :2]).T)
    assert np.median(distances) < 2


def test_a_body_that_lies_is_read_like_one_that_stands(bodies):
    frame = dancer_frames()[0]
    turned = np.ascontiguousarray(np.rot90(frame))  # (x, y) -> (y, width - 1 - x)

    def turn(x, y):
        return y, frame.shape[1] - 1 - x

    region = Region(turn(*REGIONS[0].center_xy_px), turn(*REGIONS[0].tip_xy_px))
    standing, lying = bodies.read(frame, REGIONS[0]), bodies.read(turned, region)
    points = np.stack(turn(*standing.landmarks[:, :2].T), 1)
    # a pixel is what the networks' grid costs in a square that lies (turned_square.py)
    assert np.median(np.hypot(*(points - lying.landmarks[:, :2]).T)) < 1.5
    np.testing.assert_allclose(lying.mask, np.rot90(standing.mask), atol=0.9)
    assert np.abs(lying.mask - np.rot90(standing.mask)).mean() < 0.01


def test_an_empty_region_holds_nobody(bodies):
    grey = np.full((320, 224, 3), 128, np.uint8)
    assert bodies.read(grey, REGIONS[0]) is None
    # no square at all
    assert bodies.read(dancer_frames()[0], Region((100, 100), (100, 99.9))) is None


def test_points_move_to_the_middle_of_the_heat_around_them():
    logits = np.full((64, 64, 3), -30, np.float32)
    logits[20, 33, 0] = logits[20, 34, 0] = 30  # point 0: two hot cells beside it
    logits[40, 40, 1] = -1  # point 1: a lukewarm cell says nothing
    logits[5, 63, 2] = 30  # point 2: hot, but the point lies outside
    points = np.array([[31.5, 20.5], [40.2, 40.2], [64.5, 5.0]], np.float32) / 64
    moved = refine(points, logits) * 64
    np.testing.assert_allclose(moved[0], [33.5, 20], atol=1e-4)
    np.testing.assert_allclose(moved[1:], points[1:] * 64, atol=1e-4)


def test_a_window_at_the_border_counts_only_cells_that_are_there():
    logits = np.full((64, 64, 1), -30, np.float32)
    logits[0, 1, 0] = 30
    np.testing.assert_allclose(
        refine(np.array([[0.0, 0.01]], np.float32), logits) * 64, [[1, 0]], atol=1e-4
    )
