"""Fixed pairs that are looked at again and again: a sample grid, their errors, and whether their
poses can be read.

They show people never trained on when the data set has a test split, else training pairs.
"""

import numpy as np
import torch

from dancepipe.data.pairs import Pairs, collate
from dancepipe.losses.fine_detail import fine_contrast
from dancepipe.nn.tensors import to_picture
from dancepipe.person.finder import open_person_finder
from dancepipe.pose.score import pose_scores
from dancepipe.records import Pose
from dancepipe.systems.stage import NetworkPair, Stage
from dancepipe.training.inputs import network_pair
from dancepipe.training.samples import sample_grid

PAIRS = 16
_SHOWN = 4  # rows of the grid; also how many are made at a time


class FixedPairs:
    """reads_poses: a person finder looks at every made picture (about 50 ms each on one core),
    until the with-block ends."""

    def __init__(
        self,
        source: Pairs,
        *,
        are_held_out: bool,
        reads_poses: bool,
        device: str,
    ):
        self._prefix = "held_out" if are_held_out else "fixed_pairs"
        self._pairs = [source[index] for index in range(PAIRS)]
        self._device = device
        self._finder = open_person_finder("mediapipe", None, mode="photo") if reads_poses else None

    def look(self, stage: Stage) -> tuple[dict[str, float], np.ndarray]:
        """The figures by the averaged weights, under their names in the log, and the sample grid of
        the first pairs.

        l1 of [-1, 1]; hf: fine detail against the target's, 1 is as much; pre (px) and found as
        evaluate has them. Means over the pairs of which they can be said; hf and pre are absent
        when there is none.
        """
        values: dict[str, list[float]] = {}
        grid = None
        for first in range(0, PAIRS, _SHOWN):
            pair = network_pair(collate(self._pairs[first : first + _SHOWN]), self._device)
            shown = stage.show(pair)
            if grid is None:
                grid = sample_grid(pair, shown)
            for name, numbers in self._figures(pair, shown.picture).items():
                values.setdefault(name, []).extend(numbers)
        assert grid is not None
        known = {
            name: [number for number in numbers if name == "l1" or np.isfinite(number)]
            for name, numbers in values.items()
        }
        return {
            f"{self._prefix}_{name}": float(np.mean(numbers))
            for name, numbers in known.items()
            if numbers
        }, grid

    def _figures(self, pair: NetworkPair, made: torch.Tensor) -> dict[str, list[float]]:
        masks = (pair.matte_t[:, 0] * 255).to(torch.uint8)
        contrast, contrast_t = (
            fine_contrast((images.float() + 1) / 2, masks) for images in (made, pair.I_t)
        )
        figures = {
            "l1": (made - pair.I_t).abs().mean((1, 2, 3)).tolist(),
            "hf": (contrast / contrast_t).tolist(),
        }
        if self._finder:
            people = [self._finder.find(picture) for picture in to_picture(made).cpu().numpy()]
            targets = [Pose.from_array(joints) for joints in pair.joints_t.cpu().numpy()]
            scores = pose_scores(
                [person.pose if person else None for person in people],
                targets,
                (made.shape[3], made.shape[2]),
            )
            figures |= {name: scores[name].tolist() for name in ("pre", "found")}
        return figures

    def __enter__(self) -> "FixedPairs":
        return self

    def __exit__(self, *exception) -> None:
        if self._finder:
            self._finder.close()
