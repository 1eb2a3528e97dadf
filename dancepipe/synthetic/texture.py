"""Textures made of noise: tileable fields, colours, and the flat atlas of mip chains that the
kernels read."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Texture:
    """A square tile, side a power of two, v up along rows."""

    texels: np.ndarray  # uint8 (n, n, 4): square roots of linear albedo, and strand noise
    bumps: np.ndarray  # int8 (n, n, 2): slopes of the surface along u and v, in 1/64

    def __post_init__(self):
        side = self.texels.shape[0]
        if (
            side & (side - 1)
            or self.texels.shape != (side, side, 4)
            or self.bumps.shape != (side, side, 2)
        ):
            raise ValueError(
                f"a texture is square with a power of two as side, got {self.texels.shape} and "
                f"{self.bumps.shape}"
            )


def linear(red: float, green: float, blue: float) -> np.ndarray:
    """float32 (3,): linear albedo of an sRGB colour given in 0..255."""
    return (np.array([red, green, blue], np.float32).clip(0, 255) / 255) ** np.float32(2.2)


def fractal_noise(
    rng: np.random.Generator,
    side: int,
    coarsest: float,
    finest: float,
    falloff: float = 1.0,
    stretch: float = 1.0,
) -> np.ndarray:
    """float32 (side, side): tileable noise of mean 0 and deviation 1.

    Frequencies from `coarsest` to `finest` cycles a tile, amplitude ~ 1 / frequency ** falloff.
    stretch > 1 draws it out along v (strands, folds hanging down), < 1 along u.
    """
    from scipy.fft import irfft2  # unlike numpy's it stays in single precision, at half the time

    along_v = np.fft.fftfreq(side, 1 / side).astype(np.float32)[:, None] * np.float32(stretch)
    along_u = np.fft.rfftfreq(side, 1 / side).astype(np.float32)[None, :] / np.float32(stretch)
    squared = along_u**2 + along_v**2
    kept = (squared >= coarsest**2) & (squared <= finest**2)
    spectrum = np.zeros(squared.shape, np.complex64)
    # White noise has a white spectrum: drawn as such.
    parts = rng.standard_normal((2, int(kept.sum())), np.float32)
    spectrum[kept] = (parts[0] + 1j * parts[1]) * squared[kept] ** np.float32(-(falloff + 0.5) / 2)
    field = np.asarray(irfft2(spectrum, s=(side, side)))
    field -= field.mean()
    return field / max(float(field.std()), 1e-12)


def make_texture(
    albedo: np.ndarray, height: np.ndarray | None = None, strand_noise: np.ndarray | None = None
) -> Texture:
    """A texture from linear albedo (n, n, 3) in [0, 1], a height field in texels (n, n) and
    strand noise in [0, 1] (n, n)."""
    side = albedo.shape[0]
    texels = np.zeros((side, side, 4), np.uint8)
    texels[..., :3] = np.sqrt(albedo.clip(0, 1)) * 255 + 0.5
    if strand_noise is not None:
        texels[..., 3] = strand_noise.clip(0, 1) * 255 + 0.5
    bumps = np.zeros((side, side, 2), np.int8)
    if height is not None:
        slope_u = (np.roll(height, -1, 1) - np.roll(height, 1, 1)) / 2
        slope_v = (np.roll(height, -1, 0) - np.roll(height, 1, 0)) / 2
        bumps[..., 0] = (slope_u * 64).clip(-127, 127).round()
        bumps[..., 1] = (slope_v * 64).clip(-127, 127).round()
    return Texture(texels, bumps)


def build_atlas(textures: list[Texture]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lay mip chains one after another: texels uint8 (N, 4), bumps int8 (N, 2), places int32 (M,
    2) = first texel and side."""
    texel_rows, bump_rows, places = [], [], []
    first = 0
    for texture in textures:
        texels, bumps = texture.texels.astype(np.uint16), texture.bumps.astype(np.int16)
        places.append((first, texels.shape[0]))
        while True:
            side = texels.shape[0]
            texel_rows.append(texels.reshape(-1, 4).astype(np.uint8))
            bump_rows.append(bumps.reshape(-1, 2).astype(np.int8))
            first += side * side
            if side <= 4:
                break
            texels = (
                texels[0::2, 0::2]
                + texels[1::2, 0::2]
                + texels[0::2, 1::2]
                + texels[1::2, 1::2]
                + 2
            ) >> 2
            bumps = (
                bumps[0::2, 0::2] + bumps[1::2, 0::2] + bumps[0::2, 1::2] + bumps[1::2, 1::2] + 2
            ) >> 2
    return np.concatenate(texel_rows), np.concatenate(bump_rows), np.array(places, np.int32)
