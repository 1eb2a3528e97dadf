"""One frame of the result: the rendered person where the driver's was, on what is behind."""

import numpy as np

from dancepipe.geometry import resized_px
from dancepipe.rendering.background import Background, needs_mask, resized
from dancepipe.rendering.composite import alone, paste
from dancepipe.rendering.motion import Target
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.shadow import contact_shadow, darken, lay_under


def shows_driver(options: AnimateOptions) -> bool:
    """Whether frames of the driver are needed at their own size."""
    return needs_mask(options.background) or options.side_by_side


def made_picture(
    target: Target,
    person: np.ndarray | None,
    background: Background | None,
    size_wh: tuple[int, int],
    *,
    with_shadow: bool = False,
) -> np.ndarray:
    """uint8 RGB (H, W, 3), or RGBA (H, W, 4) where there is no background. person: premultiplied
    (S, S, 4); None: nobody is shown."""
    scale = size_wh[0] / target.size_wh[0]
    x0, y0, x1, y1 = (resized_px(edge, scale) for edge in target.box_xyxy_px)
    box, shadow = (x0, y0, x1, y1), None
    if with_shadow and person is not None:
        shadow = contact_shadow(target.body, person, box, size_wh)
    if background is None:
        if person is None:
            return np.zeros((size_wh[1], size_wh[0], 4), np.uint8)
        picture = alone(size_wh, person, box)
        if shadow is not None:
            lay_under(picture, shadow)
        return picture
    picture = background(target)
    if shadow is not None:
        darken(picture, shadow)
    if person is not None:
        paste(picture, person, box)
    return picture


def beside_driver(target: Target, picture: np.ndarray) -> np.ndarray:
    """uint8 RGB (H, 2 W, 3): the driver's frame on the left, the picture (H, W, 3) on the right."""
    height, width = picture.shape[:2]
    return np.concatenate((resized(target.frame.image, (width, height)), picture), 1)
