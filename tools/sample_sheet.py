"""The README's picture: the sample's reference, frames of its driver, and the same frames of a
result.

python tools/sample_sheet.py demo/out.mp4 docs/sample.jpg
"""

import argparse
from pathlib import Path

import numpy as np
from PIL import Image

from dancepipe.media.image import load_photo
from dancepipe.media.read import VideoReader

SAMPLES = Path(__file__).parent.parent / "samples"
HEIGHT_PX = 300
FRAMES = 6


def scaled(image: np.ndarray) -> np.ndarray:
    width = round(image.shape[1] * HEIGHT_PX / image.shape[0])
    return np.asarray(Image.fromarray(image).resize((width, HEIGHT_PX), Image.Resampling.LANCZOS))


def row(path: Path) -> np.ndarray:
    """FRAMES frames spread over the video, side by side."""
    with VideoReader(path, max_side_px=640) as video:
        frames = [frame.image for frame in video]
    return np.concatenate(
        [scaled(frames[int(place)]) for place in np.linspace(0, len(frames) - 1, FRAMES + 2)[1:-1]],
        1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("result", type=Path)
    parser.add_argument("out", type=Path)
    parsed = parser.parse_args()
    dance = np.concatenate([row(SAMPLES / "driver.mp4"), row(parsed.result)])
    photo = scaled(load_photo(SAMPLES / "reference.png"))
    left = np.full((dance.shape[0], photo.shape[1] + 20, 3), 255, np.uint8)
    left[HEIGHT_PX // 2 : HEIGHT_PX // 2 + HEIGHT_PX, 10:-10] = photo
    Image.fromarray(np.concatenate([left, dance], 1)).save(parsed.out, quality=88)


if __name__ == "__main__":
    main()
