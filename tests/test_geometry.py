"""Points and pictures shrink alike, on arrays and on tensors."""

import numpy as np
import pytest
import torch

from dancepipe.geometry import resized_px, shrunk_joints, shrunk_landmarks, shrunk_px, unit_px


@pytest.mark.parametrize("factor", [2, 4])
def test_a_point_stays_on_what_it_points_at(factor):
    picture = torch.zeros(1, 1, 32, 32)
    picture[..., 8:12, 16:24] = 1.0  # its middle lies at (19.5, 9.5)
    small = torch.nn.functional.avg_pool2d(picture, factor)[0, 0]
    places = torch.arange(32.0 // factor)
    middle_x = (small.sum(0) * places).sum() / small.sum()
    middle_y = (small.sum(1) * places).sum() / small.sum()
    assert middle_x == pytest.approx(shrunk_px(19.5, factor))
    assert middle_y == pytest.approx(shrunk_px(9.5, factor))


def test_edges_stay_edges():
    assert shrunk_px(-0.5, 4) == -0.5 and shrunk_px(63.5, 4) == 15.5
    assert unit_px(0, 64) == -1 and unit_px(63, 64) == 1 and unit_px(31.5, 64) == 0


def test_arrays_and_tensors_give_the_same_and_stay_as_they_were():
    points = np.random.default_rng(0).normal(20, 9, (2, 33, 4)).astype(np.float32)
    for shrunk in (shrunk_joints, shrunk_landmarks):
        given = points.copy()
        array, tensor = shrunk(given, 2), shrunk(torch.from_numpy(given), 2)
        assert np.array_equal(array, tensor.numpy()) and np.array_equal(given, points)
        assert np.array_equal(array[..., 3:], points[..., 3:]) and array.dtype == np.float32
        assert shrunk(given, 1) is given
    assert np.array_equal(shrunk_joints(points, 2)[..., 2], points[..., 2]), "a confidence"
    assert np.array_equal(shrunk_landmarks(points, 2)[..., 2], points[..., 2] / 2), "a depth"


def test_the_outer_edge_stays_where_a_picture_grows():
    places = np.array([-0.5, 0.0, 3.0])
    np.testing.assert_array_equal(resized_px(places, 2), [-0.5, 0.5, 6.5])
    np.testing.assert_array_equal(shrunk_px(resized_px(places, 4.0), 4.0), places)
