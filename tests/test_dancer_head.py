"""Hair and brows: mirrored hair is the mirror image, front sides outside; brows lie level, thin,
and where the pack's lay."""

from dataclasses import replace

import numpy as np
import pytest
from dancer_pack import dancer_pack  # noqa: F401

pytest.importorskip("numba")

from dancepipe.body.raster import vertex_normals
from dancepipe.synthetic.assets import load_assets
from dancepipe.synthetic.body import fit_proxy
from dancepipe.synthetic.face import eyebrows_part
from dancepipe.synthetic.hair import HairTraits, hair_part

HAIR = HairTraits("long01", np.full(3, 0.1, np.float32), curl=0.3, fringe_dm=0.2, mirrored=False)


@pytest.fixture(scope="module")
def assets(dancer_pack):
    return load_assets(dancer_pack)


def test_mirrored_hair_is_the_mirror_image_with_its_outside_outside(assets):
    points = assets.body.points_dm
    plain, mirrored = (
        hair_part(
            assets,
            np.random.default_rng(1),
            replace(HAIR, mirrored=mirrored),
            points,
            under_hat=False,
        )
        for mirrored in (False, True)
    )
    flip = np.array([-1, 1, 1], np.float32)
    np.testing.assert_allclose(mirrored.points_dm, plain.points_dm * flip, atol=1e-6)
    normals = [np.empty_like(part.points_dm, np.float32) for part in (plain, mirrored)]
    for part, normal in zip((plain, mirrored), normals):
        vertex_normals(
            part.points_dm.astype(np.float32), np.ascontiguousarray(part.triangles), normal
        )
    np.testing.assert_allclose(normals[1], normals[0] * flip, atol=1e-3)
    corner = plain.triangles == mirrored.triangles[:, ::-1]
    assert corner.all() and (plain.uv == mirrored.uv[:, ::-1]).all(), (
        "every corner keeps its strand"
    )
    names = np.array(assets.body.bones)
    left = np.char.endswith(names[plain.skin_bone], ".L")
    assert left.any() and (np.char.endswith(names[mirrored.skin_bone], ".R") == left).all()


def test_brows_are_lifted_at_the_nose_only_and_never_thick(assets):
    points = assets.body.points_dm
    thick_ones = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        name = sorted(assets.proxies["eyebrows"])[
            np.random.default_rng(seed).choice(len(assets.proxies["eyebrows"]))
        ]
        before = fit_proxy(assets, assets.proxies["eyebrows"][name], points)
        after = eyebrows_part(assets, rng, points, np.full(3, 0.05, np.float32)).points_dm
        np.testing.assert_array_equal(after[:, [0, 2]], before[:, [0, 2]])
        for side in (before[:, 0] > 0, before[:, 0] <= 0):
            across = np.abs(before[side, 0])
            inner, outer = across < np.quantile(across, 0.2), across > np.quantile(across, 0.8)
            moved = after[side, 1] - before[side, 1]
            assert -0.001 < moved[inner].mean() < 0.045 and abs(moved[outer].mean()) < 0.02
            thickness = [
                np.ptp(height - np.polyval(np.polyfit(across, height, 2), across))
                for height in (before[side, 1], after[side, 1])
            ]
            thick_ones += thickness[0] > 0.12
            assert thickness[1] < 0.125
    assert thick_ones, "the pack has brows that need it"
