"""Where points lie when a picture changes its size.

Pixel centres lie at integers: pixel i covers [i - 1/2, i + 1/2]. Works on numpy arrays and on
torch tensors alike, and knows neither.
"""


def shrunk_px(coordinates_px, factor):
    """Coordinates in a picture -> in the picture shrunk by factor: the outer edge, at -1/2, stays
    where it is."""
    return (coordinates_px + 0.5) / factor - 0.5


def resized_px(coordinates_px, scale):
    """Coordinates in a picture -> in the picture that is scale times as large."""
    return (coordinates_px + 0.5) * scale - 0.5


def shrunk_joints(joints, factor):
    """Joints (..., 3 or more: x_px, y_px, what has no place) in the pixels of a picture shrunk by
    factor. A copy, unless factor is 1."""
    if factor == 1:
        return joints
    shrunk = _copy(joints)
    shrunk[..., :2] = shrunk_px(joints[..., :2], factor)
    return shrunk


def shrunk_landmarks(landmarks, factor):
    """Points (..., 3 or more: x_px, y_px, depth_px, what has no place) in the pixels of a picture
    shrunk by factor. Depth has no edge: it shrinks by factor. A copy, unless factor is 1."""
    if factor == 1:
        return landmarks
    shrunk = shrunk_joints(landmarks, factor)
    shrunk[..., 2] = landmarks[..., 2] / factor
    return shrunk


def unit_px(coordinate_px, side_px: int):
    """A coordinate of a side of side_px pixels -> [-1, 1] between the centres of the first and the
    last pixel: torch's grids with align_corners=True."""
    return 2 * coordinate_px / (side_px - 1) - 1


def _copy(points):
    return points.clone() if hasattr(points, "clone") else points.copy()
