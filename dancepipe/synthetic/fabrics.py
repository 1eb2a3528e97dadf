"""Procedural fabrics: patterns, prints, weave and folds. A tile is 10 dm wide and high: once
round a torso."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from dancepipe.errors import ConfigError
from dancepipe.media.image import load_photo
from dancepipe.synthetic.texture import Texture, fractal_noise, linear, make_texture

SIDE = 512
TILE_DM = 10.0


@dataclass(frozen=True)
class Fabric:
    """What cloth is made of; `folds` is the strength of its wrinkles, `shine` of its highlights."""

    texture: Texture
    pattern: str
    folds: float
    shine: float


def draw_color(rng: np.random.Generator) -> np.ndarray:
    """float32 (3,) linear: a colour clothes are dyed in; a third are greys, black, white or
    navy."""
    kind = rng.random()
    if kind < 0.34:
        grey = float(rng.choice([22, 34, 52, 90, 150, 205, 236]))
        return linear(*(grey + rng.normal(0, 4, 3)))
    if kind < 0.42:
        return linear(*(np.array([28, 36, 66]) * rng.uniform(0.7, 1.5)))
    hue, saturation, value = rng.random(), rng.uniform(0.15, 0.8), rng.uniform(0.2, 0.95)
    wheel = np.clip(np.abs((hue * 6 + np.array([0.0, 4, 2])) % 6 - 3) - 1, 0, 1)
    return linear(*(255 * value * (1 - saturation + saturation * wheel)))


def _grid() -> tuple[np.ndarray, np.ndarray]:
    rows, columns = np.mgrid[0:SIDE, 0:SIDE].astype(np.float32) / SIDE
    return columns, rows


def _where(mask: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    share = np.clip(mask, 0, 1)[..., None].astype(np.float32)
    return first * share + second * (1 - share)


def _stripe(position: np.ndarray, count: int, share: float) -> np.ndarray:
    """1 inside stripes, soft over about a texel."""
    phase = np.abs((position * count) % 1 - 0.5) * 2
    return np.clip((share - phase) * SIDE / count / 3 + 0.5, 0, 1)


def _solid(rng, a, b, c):
    return np.broadcast_to(a, (SIDE, SIDE, 3))


def _across(rng, a, b, c):
    return _where(_stripe(_grid()[1], int(rng.integers(12, 44)), rng.uniform(0.2, 0.65)), b, a)


def _along(rng, a, b, c):
    return _where(_stripe(_grid()[0], int(rng.integers(12, 44)), rng.uniform(0.1, 0.5)), b, a)


def _check(rng, a, b, c):
    x, y = _grid()
    count = int(rng.integers(14, 40))
    return _where((_stripe(x, count, 0.5) > 0.5) ^ (_stripe(y, count, 0.5) > 0.5), b, a)


def _plaid(rng, a, b, c):
    x, y = _grid()
    count = int(rng.integers(5, 14))
    cloth = np.broadcast_to(a, (SIDE, SIDE, 3))
    for position, color, share in (
        (x, b, 0.4),
        (y, b, 0.4),
        (x + 0.03, c, 0.07),
        (y + 0.03, c, 0.07),
        (x - 0.04, c, 0.05),
        (y - 0.04, c, 0.05),
    ):
        cloth = _where(0.55 * _stripe(position, count, share), color, cloth)
    return cloth


def _dots(rng, a, b, c):
    x, y = _grid()
    count, radius = int(rng.integers(10, 40)), rng.uniform(0.16, 0.34)
    shifted = x + 0.5 / count * (np.floor(y * count) % 2)
    distance = np.hypot((shifted * count) % 1 - 0.5, (y * count) % 1 - 0.5)
    return _where((radius - distance) * SIDE / count / 2 + 0.5, b, a)


def _camouflage(rng, a, b, c):
    scale = rng.uniform(6, 12)
    cloth = _where(
        (fractal_noise(rng, SIDE, scale / 3, scale * 2) - 0.2) * 8,
        b,
        np.broadcast_to(a, (SIDE, SIDE, 3)),
    )
    return _where((fractal_noise(rng, SIDE, scale / 3, scale * 2) - 0.8) * 8, c, cloth)


def _floral(rng, a, b, c):
    x, y = _grid()
    cloth = np.array(np.broadcast_to(a, (SIDE, SIDE, 3)))
    leaf = linear(70, 110, 60) * rng.uniform(0.5, 1.5)
    for _ in range(int(rng.integers(50, 130))):
        center, radius, petals, turn = (
            rng.random(2),
            rng.uniform(0.012, 0.04),
            int(rng.integers(4, 7)),
            rng.uniform(0, 6),
        )
        dx, dy = (x - center[0] + 0.5) % 1 - 0.5, (y - center[1] + 0.5) % 1 - 0.5
        near = (np.abs(dx) < radius * 1.6) & (np.abs(dy) < radius * 1.6)
        if rng.random() < 0.35:
            shape = radius * 0.35 - np.abs(dx * np.cos(turn) + dy * np.sin(turn))
            cloth[near] = _where(
                np.minimum(shape, radius - np.hypot(dx, dy))[near] * SIDE, leaf, cloth[near]
            )
            continue
        distance, angle = np.hypot(dx, dy)[near], np.arctan2(dy, dx)[near]
        edge = radius * (0.72 + 0.28 * np.cos(petals * angle + turn))
        cloth[near] = _where((edge - distance) * SIDE, b if rng.random() < 0.6 else c, cloth[near])
        cloth[near] = _where((0.25 * radius - distance) * SIDE, linear(230, 200, 80), cloth[near])
    return cloth


def _gradient(rng, a, b, c):
    return _where(0.5 + 0.5 * np.cos(2 * np.pi * _grid()[1]), b, a)


def _tie_dye(rng, a, b, c):
    x, y = _grid()
    warp = 0.04 * fractal_noise(rng, SIDE, 2, 10)
    rings = np.hypot((x + 0.5) % 1 - 0.5, (y - rng.uniform(0.3, 0.7) + 0.5) % 1 - 0.5) + warp
    return _where(0.5 + 0.5 * np.sin(rings * rng.uniform(30, 70)), b, a)


def _marl(rng, a, b, c):
    threads = fractal_noise(rng, SIDE, 70, 250, falloff=0.0, stretch=0.45)
    return a * np.clip(1 + 0.15 * threads, 0.5, 1.6)[..., None]


def _denim(rng, a, b, c):
    x, y = _grid()
    blue = linear(*(np.array([58, 76, 116]) * rng.uniform(0.45, 1.5)))
    worn = np.clip(0.5 + 0.3 * fractal_noise(rng, SIDE, 2, 5), 0, 1) * rng.uniform(0, 0.18)
    twill = (
        1
        + 0.05 * np.sin((x + y) * 2 * np.pi * 128)
        + 0.1 * fractal_noise(rng, SIDE, 60, 220, falloff=0.1, stretch=4)
    )
    return _where(worn, linear(150, 164, 190), blue) * np.clip(twill, 0.3, 1.6)[..., None]


PATTERNS: dict[str, Callable] = {
    "solid": _solid,
    "across": _across,
    "along": _along,
    "check": _check,
    "plaid": _plaid,
    "dots": _dots,
    "camouflage": _camouflage,
    "floral": _floral,
    "gradient": _gradient,
    "tie-dye": _tie_dye,
    "marl": _marl,
    "denim": _denim,
}
_TOP_SHARES = (0.30, 0.12, 0.06, 0.05, 0.08, 0.06, 0.04, 0.08, 0.05, 0.05, 0.11, 0.0)
_BOTTOM_SHARES = (0.45, 0.01, 0.05, 0.03, 0.05, 0.02, 0.05, 0.03, 0.0, 0.0, 0.06, 0.25)


def draw_fabric(
    rng: np.random.Generator,
    for_top: bool,
    print_allowed: bool = False,
    pattern: str | None = None,
    photos: tuple[Path, ...] = (),
) -> Fabric:
    """Draw a fabric; `pattern` (a name of PATTERNS) may be given. Where there are photos, half
    of the fabrics are patches of them."""
    # One number of the caller's stream, whatever is drawn here: other patterns leave the cut of the
    # clothes alone.
    rng = np.random.default_rng(int(rng.integers(2**62)))
    if photos and pattern is None and rng.random() < 0.5:
        return finish_fabric(rng, photo_patch(rng, photos[rng.choice(len(photos))]), "photo")
    names = list(PATTERNS)
    name = pattern or names[rng.choice(len(names), p=_TOP_SHARES if for_top else _BOTTOM_SHARES)]
    a, b, c = draw_color(rng), draw_color(rng), draw_color(rng)
    if np.abs(np.sqrt(a) - np.sqrt(b)).sum() < 0.25:
        b = np.where(a.mean() > 0.3, a * 0.3, 1 - (1 - a) * 0.5).astype(np.float32)
    cloth = np.array(PATTERNS[name](rng, a, b, c), np.float32)
    if print_allowed and name in ("solid", "marl", "gradient") and rng.random() < 0.5:
        cloth = _print_chest(rng, cloth, a)
    return finish_fabric(rng, cloth, name)


def finish_fabric(rng: np.random.Generator, cloth: np.ndarray, pattern: str) -> Fabric:
    """Give linear cloth (512, 512, 3) its grain and folds."""
    grain = _banked(rng, "grain")
    stains = _banked(rng, "stains")
    cloth = cloth * (1 + 0.03 * grain + 0.02 * stains)[..., None]
    folds = _banked(rng, "folds")
    creases = np.abs(_banked(rng, "creases"))
    height = 6.0 * folds - 1.2 * creases + 0.2 * grain
    stiff = pattern == "denim"
    return Fabric(
        make_texture(cloth, height=height),
        pattern,
        float(rng.uniform(0.35, 0.75) * (0.8 if stiff else 1)),
        float(rng.uniform(0, 0.04) ** 1.5),
    )


# Noise that every fabric needs: name -> coarsest, finest, falloff, and the stretches to choose
# from.
_BANK = {
    "grain": (90, 250, 0.0, (1.0,)),
    "stains": (2, 12, 1.0, (1.0, 1.0)),
    "folds": (3, 18, 1.4, (0.8, 0.8, 1.1, 1.1, 1.5, 1.5, 2.0, 2.2)),
    "creases": (5, 30, 0.8, (0.5, 0.7, 0.9, 1.2, 1.4, 1.6)),
}


def _banked(rng: np.random.Generator, name: str) -> np.ndarray:
    """One of a few fields drawn once per process, shifted and flipped at random: as varied as
    new ones, at a tenth of the time."""
    field = _bank_field(name, int(rng.integers(len(_BANK[name][3]))))
    if rng.random() < 0.5:
        field = field[:, ::-1]
    return np.roll(field, tuple(rng.integers(SIDE, size=2)), (0, 1))


@lru_cache(maxsize=32)
def _bank_field(name: str, number: int) -> np.ndarray:
    coarsest, finest, falloff, stretches = _BANK[name]
    rng = np.random.default_rng((list(_BANK).index(name), number))
    return fractal_noise(rng, SIDE, coarsest, finest, falloff=falloff, stretch=stretches[number])


def _print_chest(rng: np.random.Generator, cloth: np.ndarray, ground: np.ndarray) -> np.ndarray:
    """A made-up emblem on the chest: plain shapes and bars, never a sign that stands for anyone.
    u = 0 is the front's middle."""
    x, y = _grid()
    dx, dy = (x + 0.5) % 1 - 0.5, y - CHEST_V
    size = rng.uniform(0.04, 0.1)
    ink = draw_color(rng)
    if np.abs(np.sqrt(ink) - np.sqrt(ground)).sum() < 0.5:
        ink = (linear(240, 240, 236) if ground.mean() < 0.25 else linear(24, 26, 34)).astype(
            np.float32
        )
    second = draw_color(rng)
    distance, angle = np.hypot(dx, dy), np.arctan2(dy, dx)
    kind = rng.integers(5)
    if kind == 0:
        shape = np.minimum(
            size - distance, np.where(rng.random() < 0.5, 1.0, distance - 0.7 * size)
        )
    elif kind == 1:
        points = int(rng.integers(5, 9))
        shape = size * (0.7 + 0.3 * np.cos(points * (angle - np.pi / 2))) - distance
    elif kind == 2:
        shape = np.minimum(size * 1.4 - np.abs(dx), size * 0.5 - np.abs(dy))
    elif kind == 3:
        shape = np.minimum(size - np.abs(dx) - np.abs(dy), 1)
    else:
        shape = np.minimum(
            np.minimum(size * 1.5 - np.abs(dx), size - np.abs(dy)),
            size * 0.16 - np.abs((dy + size) % (size * 0.6) - size * 0.3),
        )
    printed = _where(shape * SIDE, ink, cloth)
    inner = np.minimum(shape, 0.45 * size - np.hypot(dx - 0.2 * size, dy))
    return _where(inner * SIDE, second, printed) if rng.random() < 0.6 else printed


# Where a chest print sits on the tile; clothes.py lays v so that the chest falls there.
CHEST_V = 0.5


def fabric_photos(folder: Path | None) -> tuple[Path, ...]:
    """The photographs in a folder, sorted; none for None. Raises ConfigError for a folder
    without any."""
    if folder is None:
        return ()
    kinds = {".jpg", ".jpeg", ".png", ".webp"}
    photos = tuple(sorted(path for path in Path(folder).glob("*") if path.suffix.lower() in kinds))
    if not photos:
        raise ConfigError(
            f"no photographs in the fabrics folder {folder}: need .jpg, .png or .webp files, or "
            "leave --fabrics out"
        )
    return photos


def photo_patch(rng: np.random.Generator, photo: Path) -> np.ndarray:
    """float32 (512, 512, 3) linear: a square patch of a photograph, mirrored at its borders so
    that it tiles."""
    from PIL import Image

    picture = load_photo(photo)
    side = int(min(picture.shape[:2]) * rng.uniform(0.35, 1.0))
    top, left = (
        int(rng.integers(picture.shape[0] - side + 1)),
        int(rng.integers(picture.shape[1] - side + 1)),
    )
    repeats = int(rng.choice([1, 2, 4]))
    half = SIDE // 2 // repeats
    patch = Image.fromarray(picture[top : top + side, left : left + side]).resize(
        (half, half), Image.Resampling.BOX if side > half else Image.Resampling.BICUBIC
    )
    tile = np.asarray(patch)
    tile = np.concatenate([tile, tile[:, ::-1]], 1)
    tile = np.concatenate([tile, tile[::-1]], 0)
    return (np.tile(tile, (repeats, repeats, 1)).astype(np.float32) / 255) ** np.float32(2.2)
