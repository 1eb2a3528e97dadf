"""The body's filters are scipy.ndimage's, bit for bit; its springs come to rest where scipy's
sparse solver says, and its turns are those of a singular value decomposition."""

import numpy as np
import pytest
import scipy.sparse as sparse
from scipy import ndimage
from scipy.sparse.linalg import spsolve

from dancepipe.body import image_filters
from dancepipe.body.mesh import load_mesh
from dancepipe.body.outline import neighbours
from dancepipe.body.springs import Springs
from dancepipe.body.turns import nearest_turn


@pytest.mark.parametrize("size_hw", [(1, 7), (40, 33), (96, 128)])
@pytest.mark.parametrize("share", [0.02, 0.5, 0.97])
def test_distances_and_the_nearest_places_are_those_of_scipy(size_hw, share):
    where = np.random.default_rng(5).random(size_hw) < share
    where[0, 2] = False
    expected, places = ndimage.distance_transform_edt(where, return_indices=True)
    distance, (rows, columns) = image_filters.distance_transform_edt(where, return_indices=True)
    assert np.array_equal(distance, expected)
    assert np.array_equal(np.stack([rows, columns]), places)  # of several that are as near, too


def test_where_nothing_is_false_everything_is_infinitely_far():
    assert np.isposinf(image_filters.distance_transform_edt(np.ones((3, 4), bool))).all()


@pytest.mark.parametrize("size_hw", [(3, 5), (40, 33)])
@pytest.mark.parametrize("sigma_px", [0.6, 2, 5])
def test_blurs_are_those_of_scipy_at_borders_too(size_hw, sigma_px):
    picture = np.random.default_rng(5).uniform(0, 255, (*size_hw, 3)).astype(np.float32)
    sigma = (sigma_px, sigma_px, 0)
    expected = ndimage.gaussian_filter(picture, sigma)
    assert np.array_equal(image_filters.gaussian_filter(picture, sigma), expected)
    mean = ndimage.uniform_filter(picture, size=(3, 3, 1))
    assert np.array_equal(image_filters.uniform_filter(picture, size=(3, 3, 1)), mean)


@pytest.mark.parametrize("size_px", [1, 4, 5, 31])
@pytest.mark.parametrize("number", [np.float32, np.float64])
def test_the_largest_near_by_is_that_of_scipy(size_px, number):
    values = -1e9 * np.random.default_rng(5).random((20, 50)).astype(number)
    expected = ndimage.maximum_filter(values, size=size_px)
    assert np.array_equal(image_filters.maximum_filter(values, size=size_px), expected)


@pytest.mark.parametrize("least_pull", [1e-5, 2e-3])
def test_springs_of_the_mesh_come_to_rest_where_the_sparse_solver_says(least_pull):
    mesh, rng = load_mesh(), np.random.default_rng(5)
    count = len(mesh.points_dm)
    first, second = neighbours(mesh)
    stiffness = rng.random(count)[first] * rng.random(count)[second]
    stiffness = (stiffness + stiffness[np.lexsort((first, second))]) / 2  # the same both ways round
    pull = least_pull + 3 * (rng.random(count) < 0.05)
    force = pull * rng.standard_normal(count)
    graph = sparse.coo_matrix((stiffness, (first, second)), (count, count)).tocsr()
    laplacian = sparse.diags(np.asarray(graph.sum(1)).ravel()) - graph
    expected = spsolve((sparse.diags(pull) + laplacian).tocsc(), force)
    found = Springs.between(first, second, stiffness, count).at_rest(pull, force)
    assert np.abs(found - expected).max() < 1e-9 * np.abs(expected).max()


@pytest.mark.parametrize("rank", [1, 2, 3])
@pytest.mark.parametrize("seed", range(5))
def test_the_nearest_turn_is_that_of_kabsch(rank, seed):
    rng = np.random.default_rng(seed)
    C = rng.standard_normal((3, rank)) @ rng.standard_normal((rank, 3))
    U, S, V = np.linalg.svd(C)
    sign = np.sign(np.linalg.det(U @ V))
    turn, total = nearest_turn(C)
    assert total == pytest.approx(S[0] + S[1] + sign * S[2], rel=1e-9)
    assert np.allclose(turn @ turn.T, np.eye(3), atol=1e-12) and np.linalg.det(turn) > 0
    assert np.sum(turn * C) == pytest.approx(total, rel=1e-9)
    if rank > 1:  # points on a line leave the turn about it open
        assert np.allclose(turn, U @ np.diag([1, 1, sign]) @ V, atol=1e-7)
