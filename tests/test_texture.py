"""Noise tiles without a seam, textures survive their encoding, mip chains lie where their places
say."""

import numpy as np
import pytest

pytest.importorskip("scipy")

from dancepipe.synthetic.texture import Texture, build_atlas, fractal_noise, linear, make_texture


@pytest.mark.parametrize("stretch", [0.5, 1.0, 4.0])
def test_noise_is_normalised_and_tiles_without_a_seam(stretch):
    noise = fractal_noise(np.random.default_rng(1), 128, 2, 16, stretch=stretch)
    assert abs(noise.mean()) < 1e-5 and noise.std() == pytest.approx(1, rel=1e-3)
    for axis in (0, 1):
        steps = np.abs(np.diff(noise, axis=axis)).mean()
        seam = np.abs(noise.take(0, axis) - noise.take(-1, axis)).mean()
        assert seam < 2 * steps


def test_stretched_noise_runs_along_v():
    noise = fractal_noise(np.random.default_rng(1), 128, 4, 40, stretch=6)
    assert np.abs(np.diff(noise, axis=0)).mean() < 0.4 * np.abs(np.diff(noise, axis=1)).mean()


def test_albedo_survives_the_square_root_encoding():
    albedo = np.random.default_rng(2).random((8, 8, 3)).astype(np.float32)
    stored = make_texture(albedo).texels[..., :3] / 255
    np.testing.assert_allclose(stored**2, albedo, atol=0.005)


def test_bumps_are_the_slopes_of_the_height():
    u = np.arange(64) / 64
    height = np.tile(4 * np.sin(2 * np.pi * u), (64, 1)).astype(np.float32)
    bumps = make_texture(np.ones((64, 64, 3)), height=height).bumps / 64
    np.testing.assert_allclose(
        bumps[0, :, 0], 4 * 2 * np.pi / 64 * np.cos(2 * np.pi * u), atol=0.02
    )
    assert (bumps[..., 1] == 0).all()


def test_atlas_holds_every_level_behind_its_place():
    rng = np.random.default_rng(3)
    textures = [make_texture(rng.random((side, side, 3))) for side in (16, 8)]
    texels, bumps, places = build_atlas(textures)
    assert (
        places.tolist() == [[0, 16], [16 * 16 + 8 * 8 + 4 * 4, 8]]
        and len(texels) == len(bumps) == 336 + 80
    )
    np.testing.assert_array_equal(texels[:256].reshape(16, 16, 4), textures[0].texels)
    halved = textures[0].texels.reshape(8, 2, 8, 2, 4).mean((1, 3))
    np.testing.assert_allclose(texels[256 : 256 + 64].reshape(8, 8, 4), halved, atol=0.51)


def test_only_squares_with_a_power_of_two_are_textures():
    with pytest.raises(ValueError, match="power of two"):
        Texture(np.zeros((12, 12, 4), np.uint8), np.zeros((12, 12, 2), np.int8))


def test_linear_colours():
    np.testing.assert_allclose(linear(255, 0, 127.5), [1, 0, 0.5**2.2], atol=1e-6)
