"""The body in three dimensions as structural prior: what the 33 landmarks with depth say of the
target, and of each pixel whether the photo shows it.

Fitting and drawing are kernels of the CPU, whatever the device; the people of a batch are worked on
side by side by as many threads as torch has.
"""

import hashlib
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.body.person import BodyPerson, PoseWithDepth, make_ready
from dancepipe.body.reference import BodyPicture
from dancepipe.body.shading import DIFFUSED, MIRRORED, SEEN
from dancepipe.geometry import shrunk_joints
from dancepipe.nn.tensors import to_mask, to_picture
from dancepipe.pose.batch import PoseBatch
from dancepipe.priors.limb_warp import limb_flow
from dancepipe.priors.moved_body import BodyLayers
from dancepipe.priors.prior import PriorAt


class BodyPrior:
    """A Prior (prior.py). Each person is fitted once, and the same photo in several rows once."""

    @torch.no_grad()
    def __init__(self, I_r: Tensor, matte_r: Tensor, poses_r: PoseBatch):
        """I_r (B, 3, H, W) in [-1, 1] on grey, matte_r (B, 1, H, W) in [0, 1]. ConfigError when
        the poses have no landmarks with depth."""
        poses = PoseWithDepth.each_of(poses_r)
        make_ready()
        images, masks = to_picture(I_r).cpu().numpy(), to_mask(matte_r).cpu().numpy()
        self._device, self._size_hw = I_r.device, (I_r.shape[2], I_r.shape[3])
        self._joints = poses_r.joints.to(self._device)
        self._people = _fitted(images, masks, list(poses))
        self._photo = _pictures([one.fitted.photo for one in self._people], self._device)

    @torch.no_grad()
    def at(self, targets: PoseBatch) -> PriorAt:
        drawn = self.drawn(targets, with_normals=True)
        source = np.stack([one.source for one in drawn])
        kind = np.stack([one.kind for one in drawn])
        # bfloat16 coordinates are off by a pixel
        with torch.autocast(self._device.type, enabled=False):
            picture, matte = self._picture(drawn)
            layers = self._layers(drawn, picture, matte)
            flow_4 = self._flow_4(targets, source, kind == SEEN)
        return PriorAt(picture, matte, flow_4, layers, _surface(drawn, kind, self._device))

    @torch.no_grad()
    def drawn(self, targets: PoseBatch, *, with_normals: bool = False) -> list[BodyPicture]:
        """The body's pictures alone."""
        poses = PoseWithDepth.each_of(targets)
        people = self._people * len(targets) if len(self._people) == 1 else self._people
        return _side_by_side(partial(BodyPerson.drawn, with_normals=with_normals), people, poses)

    @torch.no_grad()
    def layers_of(self, drawn: list[BodyPicture], there: tuple[slice, slice]) -> BodyLayers:
        """Those of `at`, of a part of the pictures: for photos larger than what networks read."""
        with torch.autocast(self._device.type, enabled=False):
            return self._layers(drawn, *self._picture(drawn, there), there)

    def _layers(
        self,
        drawn: list[BodyPicture],
        picture: Tensor,
        matte: Tensor,
        there: tuple[slice, slice] = np.s_[:, :],
    ) -> BodyLayers:
        source = np.stack([one.source[there] for one in drawn])
        read_share = np.stack([one.read_share[there] for one in drawn])
        return BodyLayers.of(self._photo, picture, matte, source, read_share)

    def _picture(
        self, drawn: list[BodyPicture], there: tuple[slice, slice] = np.s_[:, :]
    ) -> tuple[Tensor, Tensor]:
        """On grey, and its matte."""
        matte = _on(np.stack([one.alpha[there] for one in drawn])[:, None], self._device)
        return _pictures([one.colour[there] for one in drawn], self._device) * matte, matte

    def _flow_4(self, targets: PoseBatch, source: np.ndarray, seen: np.ndarray) -> Tensor:
        """The body's own where the photo shows it; elsewhere, and beside the body, that of the
        limbs, which is smooth."""
        height, width = self._size_hw
        limbs, _ = limb_flow(
            shrunk_joints(self._joints.expand(len(targets), -1, -1), 4),
            shrunk_joints(targets.joints.to(self._device), 4),
            height // 4,
            width // 4,
        )
        y, x = np.mgrid[:height, :width].astype(np.float32)
        moved = (source - np.stack((x, y), -1)) * seen[..., None]  # (B, H, W, 2)
        both = np.concatenate((moved, seen[..., None]), -1, dtype=np.float32)
        means = F.avg_pool2d(_on(both.transpose(0, 3, 1, 2), self._device), 4)
        share = means[:, 2:]
        # Means over what is seen of the cell, in pixels of the smaller map.
        return limbs * (1 - share) + means[:, :2] / 4


def _fitted(images: np.ndarray, masks: np.ndarray, poses: list[PoseWithDepth]) -> list[BodyPerson]:
    """One for each row. Rows that are the same share one: batches of training have them."""
    names = [
        hashlib.sha1(b"".join(part.tobytes() for part in (image, mask, pose.landmarks))).digest()
        for image, mask, pose in zip(images, masks, poses)
    ]
    rows = [names.index(name) for name in names]  # the first of those that are the same
    firsts = sorted(set(rows))
    fitted = _side_by_side(
        BodyPerson.of, images[firsts], masks[firsts], [poses[row] for row in firsts]
    )
    return [fitted[firsts.index(row)] for row in rows]


def _surface(drawn: list[BodyPicture], kind: np.ndarray, device: torch.device) -> Tensor:
    """(B, 6, H, W): seen, mirrored, diffused as 0 or 1; and the normal (x right, y down, z to the
    viewer), 0 beside the body."""
    kinds = np.stack([kind == one for one in (SEEN, MIRRORED, DIFFUSED)], 1)
    asked_for = [one.normal for one in drawn if one.normal is not None]
    normals = np.stack(asked_for).transpose(0, 3, 1, 2)
    return _on(np.concatenate((kinds, normals), 1, dtype=np.float32), device)


def _pictures(colours: list[np.ndarray], device: torch.device) -> Tensor:
    """float32 RGB (H, W, 3) in [0, 255] each -> (B, 3, H, W) in [-1, 1]."""
    return _on(np.stack(colours).transpose(0, 3, 1, 2), device) / 127.5 - 1


def _on(values: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(values)).to(device)


def _side_by_side(work: Callable, *given: Iterable) -> list:
    """work(one of each), for all of them, in order."""
    together = list(zip(*given, strict=True))
    threads = min(len(together), torch.get_num_threads())
    if threads <= 1:
        return [work(*one) for one in together]
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda one: work(*one), together))
