"""The exact flow that lies beside a data set of rendered people: truth/NAME.npz, from each
picture of a clip to the clip's first."""

from pathlib import Path

import numpy as np
from PIL import Image

from dancepipe.errors import DatasetError
from dancepipe.files.npz_file import read_npz

_WHOLLY = 0.99  # a resized pixel counts as visible when this share of it is


def truth_file(clip: Path) -> Path:
    """Where the truth of DATA/SPLIT/NAME.parquet lies, if there is any."""
    return clip.parent.parent / "truth" / f"{clip.stem}.npz"


def read_flow(path: Path, row: int, size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """(flow float32 (H, W, 2), visible bool (H, W)) of that picture of the clip at that size: its
    pixel p shows pixel p + flow[p] of the first.

    Raises DatasetError for a damaged file.
    """
    try:
        truth = read_npz(path, ("flow", "flow_visible"))
        flow, visible = truth["flow"], truth["flow_visible"]
        if flow.dtype.kind != "f" or flow.shape != (*visible.shape, 2) or visible.dtype != np.bool_:
            raise ValueError(
                f"flow {flow.dtype} {flow.shape}, flow_visible {visible.dtype} {visible.shape}"
            )
        if visible.ndim != 3 or row >= len(visible) or min(visible.shape[1:]) < 1:
            raise ValueError(f"no picture {row} in {visible.shape}")
        flow, visible = flow[row], visible[row]
    except (OSError, ValueError) as error:
        raise DatasetError(
            f"cannot read {path} ({error}); delete it and run dancers again"
        ) from error
    return resized_flow(flow.astype(np.float32), visible, size_hw)


def no_flow(size_hw: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """In the place of a flow that is not known."""
    return np.zeros((*size_hw, 2), np.float32), np.zeros(size_hw, np.bool_)


def resized_flow(
    flow: np.ndarray, visible: np.ndarray, size_hw: tuple[int, int]
) -> tuple[np.ndarray, np.ndarray]:
    """The means of what is visible, in the new pixels; only pixels that are wholly visible stay
    so."""
    (height, width), (old_height, old_width) = size_hw, visible.shape
    if (height, width) == (old_height, old_width):
        return flow, visible

    def scaled(values: np.ndarray) -> np.ndarray:
        return np.asarray(
            Image.fromarray(values.astype(np.float32)).resize((width, height), Image.Resampling.BOX)
        )

    share = scaled(visible)
    moved = (
        np.stack([scaled(flow[..., axis] * visible) for axis in (0, 1)], -1)
        / np.maximum(share, 1e-6)[..., None]
    )
    is_visible = share >= _WHOLLY
    moved *= np.array([width / old_width, height / old_height], np.float32)
    return np.where(is_visible[..., None], moved, 0).astype(np.float32), is_visible
