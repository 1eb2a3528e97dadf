"""Bodies that are painted, not filmed: coloured maps of body parts, as data sets and papers lay
beside the picture of a person. Pose networks take them for people."""

import cv2
import numpy as np

_SIDE_PX = 128
_GREY = 22  # chroma below this has no hue
_HUES = 12
# Five such maps: colours_of .85 to 1.4, sharpness .14 to .19. 24 people on film: up to .6 and from
# .32; rendered people in many colours reach 1.1, but cloth and shadows make them sharp (.4).
MANY_COLOURS, FLAT = 0.65, 0.25


def colours_of(image: np.ndarray, mask: np.ndarray) -> float:
    """How much of a person is coloured, times how many hues that is (entropy of 12 hues, in nats).

    image: uint8 RGB (H, W, 3). mask: uint8 (H, W), 255 = person.
    """
    columns, rows = np.flatnonzero(mask.max(0) > 127), np.flatnonzero(mask.max(1) > 127)
    if not len(columns):
        return 0.0
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    # Flat colours are so in every few pixels, too.
    step = max(1, max(len(rows), len(columns)) // _SIDE_PX)
    inside = mask[part][::step, ::step] > 200
    if not inside.any():
        return 0.0
    small = image[part][::step, ::step][inside]
    lab = cv2.cvtColor(np.ascontiguousarray(small[None]), cv2.COLOR_RGB2LAB)[0].astype(np.float32)
    a, b = lab[:, 1] - 128, lab[:, 2] - 128
    is_coloured = np.hypot(a, b) > _GREY
    if not is_coloured.any():
        return 0.0
    hues = np.arctan2(b, a)[is_coloured]
    shares = np.histogram(hues, _HUES, (-np.pi, np.pi))[0] / len(hues)
    shares = shares[shares > 0]
    return float(is_coloured.mean() * -(shares * np.log(shares)).sum())
