"""Perceptual hashes: pictures that look the same differ in few bits, however they were stored."""

import cv2
import numpy as np

_SIDE = 8
BITS = _SIDE * _SIDE


def difference_hash(image: np.ndarray) -> int:
    """64 bits of uint8 RGB (H, W, 3): whether each of 8 x 8 cells is darker than its right
    neighbour (Krawetz's dHash)."""
    small = cv2.resize(image, (_SIDE + 1, _SIDE), interpolation=cv2.INTER_AREA)
    grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY).astype(np.int16)
    return int.from_bytes(np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes(), "big")


def mirrored_hash(value: int) -> int:
    """About the hash of the left-right mirrored picture."""
    bits = np.unpackbits(np.frombuffer(value.to_bytes(_SIDE, "big"), np.uint8))
    return int.from_bytes(np.packbits(1 - bits.reshape(_SIDE, _SIDE)[:, ::-1]).tobytes(), "big")


def distances(values: np.ndarray, others: np.ndarray) -> np.ndarray:
    """uint64 (N,) and (M,) -> int (N, M): in how many of the 64 bits they differ."""
    apart = np.ascontiguousarray(values[:, None] ^ others[None, :])
    return np.unpackbits(apart.view(np.uint8).reshape(*apart.shape, 8), axis=-1).sum(-1, np.int32)
