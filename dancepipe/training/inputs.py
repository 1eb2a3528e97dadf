"""A batch of pairs -> what the networks and the losses read, on the device."""

from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from dancepipe.data.augment import (
    mirrored,
    moved_flow,
    moved_joints,
    moved_landmarks,
    moved_pictures,
    random_colours,
    random_moves,
    recoloured,
)
from dancepipe.data.pairs import PairBatch
from dancepipe.losses.flow import ExactFlow
from dancepipe.nn.tensors import mask_to_network, to_network
from dancepipe.systems.stage import NetworkPair
from dancepipe.training.options import TrainOptions

_MOVE_OF_TARGET = 1 / 5  # of the reference's


@dataclass(frozen=True)
class Augmentation:
    """What each pair of a batch undergoes, on the CPU. One row a pair."""

    mirror: Tensor  # bool (B,)
    gain: Tensor | None  # (B, 3), of the colours; None: they stay
    order: Tensor | None  # int (B, 3), of the channels
    move_r: Tensor | None  # (B, 2, 3), of the reference, as random_moves has them; None: it stays
    move_t: Tensor | None  # of the target

    @staticmethod
    def drawn(options: TrainOptions, stage: int, step: int) -> "Augmentation":
        """A function of (seed, stage, step) alone, so that a resumed run repeats it; for the
        whole batch, whoever works on which of its rows. Pairs that share a reference share all
        but the target's move."""
        generator = torch.Generator().manual_seed(
            int(np.random.SeedSequence((options.seed, stage, step)).generate_state(1)[0])
        )
        references = options.batch // options.targets
        mirror = torch.zeros(references, dtype=torch.bool)
        if options.mirror:
            mirror = torch.rand(references, generator=generator) < 0.5
        gain = order = move_r = move_t = None
        if options.colour_jitter:
            gain, order = random_colours(references, options.colour_jitter, generator)
        if options.turn or options.shift or options.zoom:
            move_r, move_t = (
                random_moves(
                    count,
                    options.turn * share,
                    options.shift * share,
                    options.zoom * share,
                    generator,
                )
                for count, share in ((references, 1), (options.batch, _MOVE_OF_TARGET))
            )
        mirror = mirror.repeat_interleave(options.targets, 0)
        gain, order, move_r = (
            None if drawn is None else drawn.repeat_interleave(options.targets, 0)
            for drawn in (gain, order, move_r)
        )
        return Augmentation(mirror, gain, order, move_r, move_t)

    def rows(self, which: slice) -> "Augmentation":
        drawn = {name: value[which] for name, value in vars(self).items() if value is not None}
        return replace(self, **drawn)


def step_parts(
    batch: PairBatch, share: range, augmentation: Augmentation, parts: int, device: str
) -> list[NetworkPair]:
    """The rows `share` of a step's batch, which is what `batch` holds, in that many parts of one
    size."""
    size = len(share) // parts
    augmentation = augmentation.rows(slice(share.start, share.stop))
    return [
        network_pair(batch.rows(which), device, augmentation.rows(which))
        for which in (slice(i * size, (i + 1) * size) for i in range(parts))
    ]


def network_pair(
    batch: PairBatch, device: str, augmentation: Augmentation | None = None
) -> NetworkPair:
    """Move and augment."""
    batch = batch.to(device)
    if augmentation:
        batch = mirrored(batch, augmentation.mirror)
    matte_r, matte_t = mask_to_network(batch.reference_mask), mask_to_network(batch.target_mask)
    I_r, I_t = to_network(batch.reference_image), to_network(batch.target_image)
    if augmentation and augmentation.gain is not None and augmentation.order is not None:
        gain, order = augmentation.gain.to(device), augmentation.order.to(device)
        I_r, I_t = recoloured(I_r, matte_r, gain, order), recoloured(I_t, matte_t, gain, order)
    joints_r, joints_t = batch.reference_joints, batch.target_joints  # on the CPU
    exact = None
    if batch.flow is not None and batch.flow_visible is not None:
        exact = ExactFlow(batch.flow.permute(0, 3, 1, 2), batch.flow_visible[:, None].float())
    move_r, move_t = (augmentation.move_r, augmentation.move_t) if augmentation else (None, None)
    if move_r is not None and move_t is not None:
        I_r, matte_r, joints_r = _moved(I_r, matte_r, joints_r, move_r)
        I_t, matte_t, joints_t = _moved(I_t, matte_t, joints_t, move_t)
        if exact:
            exact = ExactFlow(*moved_flow(exact.flow, exact.visible, move_r, move_t))
    return NetworkPair(
        I_r=I_r,
        I_t=I_t,
        matte_r=matte_r,
        matte_t=matte_t,
        joints_r=joints_r.to(device, non_blocking=True),
        joints_t=joints_t.to(device, non_blocking=True),
        joints_r_cpu=joints_r,
        joints_t_cpu=joints_t,
        exact=exact,
        **_with_depth(batch, augmentation),
    )


def _with_depth(batch: PairBatch, augmentation: Augmentation | None) -> dict[str, Tensor | None]:
    """Landmarks and hands as NetworkPair names them, moved; None of what the data lack."""
    size_hw = (batch.target_mask.shape[1], batch.target_mask.shape[2])
    move_r, move_t = (augmentation.move_r, augmentation.move_t) if augmentation else (None, None)
    given = {
        "landmarks_r": (batch.reference_landmarks, move_r),
        "landmarks_t": (batch.target_landmarks, move_t),
        "hands_r": (batch.reference_hands, move_r),
        "hands_t": (batch.target_hands, move_t),
    }
    return {
        name: points if points is None or moves is None else moved_landmarks(points, moves, size_hw)
        for name, (points, moves) in given.items()
    }


def _moved(
    image: Tensor, matte: Tensor, joints: Tensor, moves: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    both = moved_pictures(torch.cat((image, matte), 1), moves)
    return both[:, :3], both[:, 3:], moved_joints(joints, moves, (image.shape[2], image.shape[3]))
