"""How sharp a person is in a picture."""

import cv2
import numpy as np

_SIDE_PX = 128  # at which people of any size are compared


def sharpness_of(image: np.ndarray, mask: np.ndarray) -> float:
    """How much of the person's contrast is between neighbouring pixels of a view of the person of
    128 px; .0 without edges, about .1 of a blurred and .3 or more of a sharp one.

    image: uint8 RGB (H, W, 3). mask: uint8 (H, W), 255 = person. Energy of the Laplacian over that
    of the grey levels (Pertuz 2013), so that dark clothes count as bright ones.
    """
    columns, rows = np.flatnonzero(mask.max(0) > 127), np.flatnonzero(mask.max(1) > 127)
    if not len(columns) or not len(rows):
        return 0.0
    part = np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    scale = _SIDE_PX / max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1)
    size_wh = (
        max(1, round((columns[-1] - columns[0] + 1) * scale)),
        max(1, round((rows[-1] - rows[0] + 1) * scale)),
    )
    grey = cv2.cvtColor(np.ascontiguousarray(image[part]), cv2.COLOR_RGB2GRAY)
    resample = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    grey = cv2.resize(grey, size_wh, interpolation=resample).astype(np.float32)
    inside = cv2.resize(np.ascontiguousarray(mask[part]), size_wh, interpolation=cv2.INTER_AREA)
    person = cv2.erode(inside, np.ones((3, 3), np.uint8)) > 200
    if person.sum() < 16:
        return 0.0
    edges = cv2.Laplacian(grey, cv2.CV_32F)[person]
    return float(edges.std() / (grey[person].std() + 4.0))
