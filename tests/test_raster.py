"""The rasteriser's kernels against literal loops on small drawn meshes."""

import numpy as np
import pytest

pytest.importorskip("numba")

from dancepipe.body.raster import vertex_normals
from dancepipe.synthetic.raster import (
    SOLID,
    STRANDS,
    TWO_SIDED,
    project_perspective,
    rasterise,
    rasterise_depth,
    skin_vertices,
)

SIDE = 24


def drawn_mesh(seed: int, triangles: int = 14):
    rng = np.random.default_rng(seed)
    projected = np.stack(
        [
            rng.uniform(-4, SIDE + 4, 3 * triangles),
            rng.uniform(-4, SIDE + 4, 3 * triangles),
            rng.uniform(0.02, 0.1, 3 * triangles),
        ],
        1,
    )
    return (
        projected.astype(np.float32),
        rng.permutation(3 * triangles).reshape(-1, 3).astype(np.int32),
        rng,
    )


def run_kernel(projected, triangles, kinds, inside):
    depth = np.zeros((SIDE, SIDE), np.float32)
    winner = np.full((SIDE, SIDE), -1, np.int32)
    weights = np.zeros((SIDE, SIDE, 2), np.float32)
    uv = np.zeros((len(triangles), 3, 2), np.float32)
    material = np.arange(len(triangles), dtype=np.int32)
    places = np.tile(np.array([[0, 4]], np.int32), (len(triangles), 1))
    rasterise(
        projected,
        triangles,
        uv,
        material,
        kinds,
        np.zeros(len(triangles), np.float32),
        places,
        np.zeros((16, 4), np.uint8),
        inside,
        depth,
        winner,
        weights,
    )
    return depth, winner, weights


def literal(projected, triangles, kinds, inside):
    """Every sample against every triangle, in double precision; also the samples too close to an
    edge to call."""
    depth, winner = np.zeros((SIDE, SIDE)), np.full((SIDE, SIDE), -1)
    unsure = np.zeros((SIDE, SIDE), bool)
    for y in range(SIDE):
        for x in range(SIDE):
            for index, triangle in enumerate(triangles):
                corners = projected[triangle].astype(np.float64)
                system = np.concatenate([corners[:, :2].T, np.ones((1, 3))])
                area = np.linalg.det(system)
                if kinds[index] == SOLID and area > 0:
                    continue
                share = np.linalg.solve(system, [x + 0.5, y + 0.5, 1])
                edge = share @ inside[triangle]
                z = share @ corners[:, 2]
                if min(share.min(), 1 - share.max()) > -1e-4 and (
                    np.abs(share).min() < 1e-4 or abs(edge) < 1e-4 or abs(z - depth[y, x]) < 1e-6
                ):
                    unsure[y, x] = True
                if share.min() >= 0 and edge >= 0 and z > depth[y, x]:
                    depth[y, x], winner[y, x] = z, index
    return depth, winner, unsure


@pytest.mark.parametrize("seed", range(4))
def test_same_triangle_wins_as_in_the_literal_loops(seed):
    projected, triangles, rng = drawn_mesh(seed)
    kinds = rng.choice([SOLID, TWO_SIDED], len(triangles)).astype(np.int32)
    inside = rng.uniform(-1, 2, len(projected)).astype(np.float32)
    depth, winner, weights = run_kernel(projected, triangles, kinds, inside)
    wanted_depth, wanted_winner, unsure = literal(projected, triangles, kinds, inside)
    assert (winner >= 0).mean() > 0.3 and unsure.mean() < 0.1
    np.testing.assert_array_equal(winner[~unsure], wanted_winner[~unsure])
    np.testing.assert_allclose(depth[~unsure], wanted_depth[~unsure], atol=1e-6)
    # The stored weights give back the sample's own place.
    ys, xs = np.nonzero(winner >= 0)
    w = weights[ys, xs]
    w = np.concatenate([1 - w.sum(1, keepdims=True), w], 1)
    place = np.einsum("ni,nij->nj", w, projected[triangles[winner[ys, xs]]][..., :2])
    np.testing.assert_allclose(place, np.stack([xs, ys], 1) + 0.5, atol=2e-3)


def test_strand_noise_frays_only_the_edge():
    projected = np.array([[-2, -2, 0.1], [-2, 60, 0.1], [60, -2, 0.1]], np.float32)
    triangles = np.array([[0, 1, 2]], np.int32)
    rng = np.random.default_rng(0)
    texels = rng.integers(0, 256, (16, 4)).astype(np.uint8)
    uv = rng.uniform(0, 3, (1, 3, 2)).astype(np.float32)
    shares = []
    for inside in (2.0, 0.05):
        depth, winner = np.zeros((SIDE, SIDE), np.float32), np.full((SIDE, SIDE), -1, np.int32)
        rasterise(
            projected,
            triangles,
            uv,
            np.zeros(1, np.int32),
            np.array([STRANDS], np.int32),
            np.full(1, 0.1, np.float32),
            np.array([[0, 4]], np.int32),
            texels,
            np.full(3, inside, np.float32),
            depth,
            winner,
            np.zeros((SIDE, SIDE, 2), np.float32),
        )
        shares.append((winner >= 0).mean())
    assert shares[0] == 1.0 and 0.2 < shares[1] < 0.8


def test_depth_map_is_the_nearest_of_all_triangles():
    projected, triangles, _ = drawn_mesh(11)
    nearest = np.full((SIDE, SIDE), -1e9, np.float32)
    rasterise_depth(projected, triangles, nearest)
    depth, _, unsure = literal(
        projected, triangles, np.full(len(triangles), TWO_SIDED), np.ones(len(projected))
    )
    covered = ~unsure & (depth > 0)
    np.testing.assert_allclose(nearest[covered], depth[covered], atol=1e-6)
    assert (nearest[~unsure & (depth == 0)] == -1e9).all()


def test_skinning_equals_the_weighted_sum_of_the_bones():
    rng = np.random.default_rng(3)
    rest, bones = (
        rng.normal(size=(40, 3)).astype(np.float32),
        rng.integers(0, 5, (40, 4)).astype(np.uint8),
    )
    weight = rng.dirichlet([1.0] * 4, 40).astype(np.float32)
    rotation, shift, bend = (
        rng.normal(size=(5, 3, 3)).astype(np.float32),
        rng.normal(size=(5, 3)).astype(np.float32),
        rng.random(5).astype(np.float32),
    )
    drift, sway = rng.normal(size=(5, 3)).astype(np.float32), rng.random(40).astype(np.float32)
    posed, crease = np.empty_like(rest), np.empty(40, np.float32)
    skin_vertices(rest, bones, weight, rotation, shift, bend, drift, sway, posed, crease)
    wanted = np.einsum("vk,vkij,vj->vi", weight, rotation[bones], rest) + np.einsum(
        "vk,vki->vi", weight, shift[bones]
    )
    wanted += sway[:, None] * np.einsum("vk,vki->vi", weight, drift[bones])
    np.testing.assert_allclose(posed, wanted, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(crease, (weight * bend[bones]).sum(1), rtol=1e-5)


def test_normals_of_a_sphere_point_outwards():
    from scipy.spatial import ConvexHull

    points = np.random.default_rng(5).normal(size=(300, 3))
    points = (points / np.linalg.norm(points, axis=1, keepdims=True)).astype(np.float32)
    hull = ConvexHull(points)
    triangles = hull.simplices.astype(np.int32)
    corners = points[triangles]
    turned = (
        np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]) * corners.mean(1)
    ).sum(1) < 0
    triangles[turned] = triangles[turned][:, ::-1]
    normals = np.empty_like(points)
    vertex_normals(points, triangles, normals)
    assert (normals * points).sum(1).min() > 0.9


@pytest.mark.parametrize("distortion", [0.0, -0.06, 0.03])
def test_projection_agrees_with_the_camera_in_double_precision(distortion):
    from dataclasses import replace

    from dancepipe.synthetic.camera import aim_camera

    rng = np.random.default_rng(8)
    camera = aim_camera(np.array([1.0, 2, 3]), 0.7, 0.2, 30, 400.0, (200, 160), roll=0.1)
    camera = replace(camera, distortion=distortion)
    points = (rng.normal(size=(50, 3)) * 4).astype(np.float32)
    projected = np.empty_like(points)
    project_perspective(
        points,
        np.zeros(50, np.float32),
        camera.axes.astype(np.float32),
        camera.eye_dm.astype(np.float32),
        np.float32(camera.focal_px),
        np.float32(camera.center_px[0]),
        np.float32(camera.center_px[1]),
        np.float32(distortion / 100**2),
        projected,
    )
    wanted = camera.project(points)
    np.testing.assert_allclose(projected[:, :2], wanted[:, :2], atol=2e-3)
    np.testing.assert_allclose(1 / projected[:, 2], wanted[:, 2], rtol=1e-5)
    np.testing.assert_allclose(camera.project(np.array([[1.0, 2, 3]]))[0, :2], [99.5, 79.5])
