"""What stage 1 plans at its own size, laid over the body at the size of a larger picture.

Only the part of the picture where people are is worked on: it is a fifth of most.
"""

import math
from collections.abc import Iterable

import torch
from torch import Tensor

from dancepipe.pose.batch import PoseBatch
from dancepipe.priors.body import BodyPrior
from dancepipe.systems.focus_retain.gated_copy import CopyPlan

_MARGIN = 0.06  # of a side around the body, for hair and clothes that are not the body's

Part = tuple[slice, slice]  # rows and columns


def laid_over(
    prior: BodyPrior, targets: PoseBatch, plan: CopyPlan, size_hw: tuple[int, int]
) -> tuple[Tensor, Tensor]:
    """prior: of pictures of that size. -> picture (B, 3, H, W) in [-1, 1] on grey and matte
    (B, 1, H, W) in [0, 1]."""
    drawn = prior.drawn(targets)
    boxes = [one.box_xyxy_px for one in drawn]
    coarse, there = _around(boxes, plan.gate.shape[2:], size_hw)
    part_hw = there[0].stop - there[0].start, there[1].stop - there[1].start
    made, logits, _ = plan.enlarged(coarse, part_hw).over(prior.layers_of(drawn, there))
    picture = made.new_zeros(len(drawn), 3, *size_hw)
    matte = made.new_zeros(len(drawn), 1, *size_hw)
    picture[:, :, there[0], there[1]] = made
    matte[:, :, there[0], there[1]] = torch.sigmoid(logits)
    return picture, matte


def _around(
    boxes: Iterable[tuple[int, int, int, int]], coarse_hw: Iterable[int], size_hw: tuple[int, int]
) -> tuple[Part, Part]:
    """The boxes with their margin, in the plan and in the picture, from edges that are whole
    pixels of both."""
    left, top, right, bottom = zip(*boxes)
    ends = ((min(top), max(bottom)), (min(left), max(right)))
    coarse, large = [], []
    for (first, last), coarse_px, side_px in zip(ends, coarse_hw, size_hw):
        steps = math.gcd(coarse_px, side_px)
        step = side_px // steps
        margin = _MARGIN * side_px
        start = max(math.floor((first - margin) / step), 0)
        stop = max(min(math.ceil((last + margin) / step), steps), start + 1)
        coarse.append(slice(start * coarse_px // steps, stop * coarse_px // steps))
        large.append(slice(start * step, stop * step))
    return (coarse[0], coarse[1]), (large[0], large[1])
