"""The mesh that comes with dancepipe."""

from importlib.resources import as_file, files

import numpy as np

from dancepipe.body.mesh import LAYERS, PART_MIRROR, PARTS, Part, load_mesh
from dancepipe.body.raster import draw_mesh


def test_it_is_small():
    with as_file(files("dancepipe.body") / "body.npz") as path:
        assert path.stat().st_size <= 250_000
    mesh = load_mesh()
    assert 5000 < mesh.layer_triangles[LAYERS.index("body")] < 6000
    assert mesh.layer_points.sum() == len(mesh.points_dm)
    assert mesh.layer_triangles.sum() == len(mesh.triangles)


def test_left_and_right_mirror_each_other():
    mesh = load_mesh()
    assert (mesh.mirror[mesh.mirror] == np.arange(len(mesh.mirror))).all()
    mirrored = mesh.points_dm[mesh.mirror] * np.float32([-1, 1, 1])
    np.testing.assert_allclose(mirrored, mesh.points_dm, atol=1e-3)
    assert (PART_MIRROR[mesh.part[mesh.mirror]] == mesh.part).all()
    assert PARTS[PART_MIRROR[PARTS.index(Part.HAND_LEFT)]] == Part.HAND_RIGHT


def test_every_vertex_hangs_on_bones_and_every_layer_keeps_to_itself():
    mesh = load_mesh()
    np.testing.assert_allclose(mesh.skin_weight.sum(1), 1, atol=1e-5)
    assert mesh.skin_bone.max() < len(mesh.bones)
    for layer in LAYERS:
        points, triangles = mesh.layer_of_points(layer), mesh.layer_of_triangles(layer)
        own = mesh.triangles[triangles]
        assert own.min() >= points.start and own.max() < points.stop


def test_triangles_face_outwards():
    mesh = load_mesh()
    corners = mesh.points_dm[mesh.triangles[mesh.layer_of_triangles("body")]]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    volume = (corners[:, 0] * across).sum() / 6  # of a closed surface, > 0 where it faces outwards
    assert 40 < volume < 90  # litres of an adult


def test_landmarks_lie_where_the_body_has_them():
    mesh = load_mesh()
    left, right = mesh.landmarks_dm[11::2][:11], mesh.landmarks_dm[12::2][:11]
    np.testing.assert_allclose(left * [-1, 1, 1], right, atol=0.02)
    nose, shoulders, hips, heels = (mesh.landmarks_dm[i, 1] for i in (0, 11, 23, 29))
    assert nose > shoulders > hips > heels
    fingertips = mesh.hands_dm[:, [4, 8, 12, 16, 20]]
    assert (np.linalg.norm(fingertips - mesh.hands_dm[:, :1], axis=-1) > 1).all()


def test_a_foot_seen_from_above_has_no_gaps_between_its_toes():
    mesh = load_mesh()
    foot = np.isin(mesh.triangle_part, [PARTS.index(Part.FOOT_LEFT), PARTS.index(Part.FOOT_RIGHT)])
    across, up, forward = mesh.points_dm.T * 40
    seen_from_above = np.stack([across - across.min(), forward - forward.min(), up], 1)
    size_hw = tuple(int(seen_from_above[:, axis].max()) + 2 for axis in (1, 0))
    _, winner, _ = draw_mesh(seen_from_above.astype(np.float32), mesh.triangles[foot], size_hw)
    for side in np.array_split(winner >= 0, 2, axis=1):
        rows = side[side.any(1)]
        rows = rows[int(0.7 * len(rows)) :]
        assert len(rows) > 20
        begins = (np.diff(rows.astype(int), axis=1, prepend=0) == 1).sum(1)
        assert (begins == 1).mean() > 0.97
