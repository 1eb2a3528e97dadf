"""Fabrics: every pattern is cloth, photographs become cloth that tiles in their own colours, and
dress the same bodies."""

import numpy as np
import pytest
from dancer_pack import dancer_pack  # noqa: F401
from PIL import Image

pytest.importorskip("numba")

from dancepipe.errors import ConfigError
from dancepipe.synthetic.fabrics import PATTERNS, draw_fabric, fabric_photos, photo_patch
from dancepipe.synthetic.texture import linear


def colours(fabric) -> np.ndarray:
    """float64 (N, 3): linear albedo of the texels."""
    return ((fabric.texture.texels[..., :3] / 255.0) ** 2).reshape(-1, 3)


@pytest.fixture
def photos(tmp_path):
    """A large red and a tiny grey photograph, and a file that is none."""
    noise = np.random.default_rng(0).integers(0, 60, (300, 400))
    Image.fromarray(np.stack([noise + 180, noise, noise], -1).astype(np.uint8)).save(
        tmp_path / "red.JPG", quality=95
    )
    Image.fromarray((noise[:24, :40] + 90).astype(np.uint8)).save(
        tmp_path / "tiny grey.webp", lossless=True
    )
    (tmp_path / "notes.txt").write_text("not a photograph")
    return tmp_path


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_pattern_is_drawn_whole_and_by_the_seed_alone(pattern):
    first, again, other = (
        draw_fabric(np.random.default_rng(seed), for_top=True, pattern=pattern)
        for seed in (4, 4, 5)
    )
    np.testing.assert_array_equal(first.texture.texels, again.texture.texels)
    assert (first.texture.texels != other.texture.texels).any() and first.pattern == pattern
    assert first.texture.bumps.any(), "cloth has folds and grain"


def test_a_patch_tiles_and_keeps_the_photograph_s_colours(photos):
    red, grey = fabric_photos(photos)
    for seed in range(6):
        patch = photo_patch(np.random.default_rng(seed), red)
        assert patch.shape == (512, 512, 3)
        for axis in (0, 1):
            np.testing.assert_array_equal(
                patch.take(0, axis), patch.take(-1, axis), err_msg="mirrored: no seam"
            )
        assert (patch.min(axis=(0, 1)) >= linear(165, 0, 0) - 1e-6).all() and (
            patch[..., 0] > 3 * patch[..., 1]
        ).all()
        assert np.ptp(photo_patch(np.random.default_rng(seed), grey), axis=2).max() < 0.02
    np.testing.assert_array_equal(
        photo_patch(np.random.default_rng(1), red), photo_patch(np.random.default_rng(1), red)
    )


def test_half_of_the_fabrics_are_photographs(photos):
    drawn = [
        draw_fabric(np.random.default_rng(seed), for_top=True, photos=fabric_photos(photos))
        for seed in range(40)
    ]
    share = np.mean([fabric.pattern == "photo" for fabric in drawn])
    assert 0.25 < share < 0.75
    reds = [
        fabric
        for fabric in drawn
        if fabric.pattern == "photo"
        and colours(fabric)[:, 0].mean() > 3 * colours(fabric)[:, 1].mean()
    ]
    assert reds and len(reds) < share * 40


def test_a_folder_without_photographs_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("not a photograph")
    for folder in (tmp_path, tmp_path / "absent"):
        with pytest.raises(
            ConfigError, match="no photographs in the fabrics folder.*leave --fabrics out"
        ):
            fabric_photos(folder)
    assert fabric_photos(None) == ()


def test_photographs_change_the_cloth_and_not_the_person(dancer_pack, photos):
    from dancepipe.synthetic.assets import load_assets
    from dancepipe.synthetic.person import draw_person

    assets = load_assets(dancer_pack)
    worn = 0
    for seed in range(4):
        plain, photographed = (
            draw_person(assets, (8, seed), fabrics=folder).figure for folder in (None, photos)
        )
        np.testing.assert_array_equal(plain.rest, photographed.rest)
        np.testing.assert_array_equal(plain.triangles, photographed.triangles)
        worn += (plain.texels != photographed.texels).any()
    assert worn >= 2
