"""Pairs of frames of one person: (reference, target), the unit that training reads.

Pair number n is a pure function of (seed, n). The position in the data order is
therefore one number, and a resumed run sees exactly the pairs it would have seen.
"""

import copy
import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import torch

from dancepipe.data.exact_flow import no_flow, read_flow, truth_file
from dancepipe.data.index import identities_of
from dancepipe.data.picture import LabelledPicture
from dancepipe.data.store import clip_files, open_clip, read_row
from dancepipe.errors import DatasetError

_OPEN_FILES = 32
_SHARE_WITH_FLOW = 0.5
_POINTS = ("_joints", "_landmarks", "_hands")


@dataclass(frozen=True)
class PairBatch:
    """B pairs. Pictures are uint8 RGB on neutral grey, points are in their picture's pixels.

    Landmarks and hands are None of sources that have none at all. Where a single picture lacks
    them, or a hand, every point of them has the confidence 0.
    """

    reference_image: torch.Tensor  # uint8 (B, H, W, 3)
    reference_mask: torch.Tensor  # uint8 (B, H, W)
    reference_joints: torch.Tensor  # float32 (B, 18, 3)
    target_image: torch.Tensor
    target_mask: torch.Tensor
    target_joints: torch.Tensor
    flow: torch.Tensor | None = (
        # float32 (B, H, W, 2): target pixel p shows reference pixel p + flow[p]; of sources that
        # know it
        None
    )
    flow_visible: torch.Tensor | None = (
        None  # bool (B, H, W): where that is so; nowhere in pairs whose flow is not known
    )
    # float32 (B, 33, 4): x_px, y_px, depth_px, visibility of BLAZEPOSE_33
    reference_landmarks: torch.Tensor | None = None
    target_landmarks: torch.Tensor | None = None
    # float32 (B, 2, 21, 4): right and left, x_px, y_px, depth_px, presence of HAND_21
    reference_hands: torch.Tensor | None = None
    target_hands: torch.Tensor | None = None

    def to(self, device) -> "PairBatch":
        """The pictures on the device. Joints, landmarks and hands stay on the CPU, where drawing
        and posing look at them: fetching them back would wait for the device."""
        moved = {
            name: value.to(device, non_blocking=True)
            for name, value in vars(self).items()
            if value is not None and not name.endswith(_POINTS)
        }
        return replace(self, **moved)

    def pin_memory(self) -> "PairBatch":
        """What the data loader calls: copies from pinned memory to a GPU overlap with work on
        it."""
        return self._each(torch.Tensor.pin_memory)

    def rows(self, which: slice) -> "PairBatch":
        """Some of the pairs."""
        return self._each(lambda value: value[which])

    def _each(self, change: Callable[[torch.Tensor], torch.Tensor]) -> "PairBatch":
        changed = {name: change(value) for name, value in vars(self).items() if value is not None}
        return replace(self, **changed)


class Pairs(torch.utils.data.Dataset):
    """What training reads: pairs by number, which stand on disk (PairSource) or are rendered as
    they are asked for (synthetic/stream.py). Pair n is a pure function of (seed, n)."""

    size_hw: tuple[int, int]
    worker_start: str | None = None  # how pair_batches starts its workers; None: the system's way

    def at(self, size_hw: tuple[int, int], seed: int | None = None) -> "Pairs":
        """The same pairs at another size, or those of another seed."""
        raise NotImplementedError

    @property
    def summary(self) -> str:
        """For people: what there is."""
        raise NotImplementedError

    @property
    def facts(self) -> dict:
        """What a run notes. Which pair a number means depends on the "fingerprint"."""
        raise NotImplementedError

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        """One item of collate(): a picture or a map for each name of PairBatch."""
        raise NotImplementedError


class PairSource(Pairs):
    """Random access to pairs by number. size_hw: the networks' picture size; stored pictures are
    resized to it. Landmarks and hands come along where any picture of the split has some.

    with_flow: pairs carry the exact flow of a data set of rendered people. It is known to a clip's
    first picture only, so that half of the pairs take that one as their reference; the flow of the
    others is nowhere visible. targets: how many pairs in a row share a reference. Raises
    DatasetError when no identity has two frames, or when there is no flow.
    """

    def __init__(
        self,
        folder: Path,
        split: str,
        size_hw: tuple[int, int],
        seed: int,
        *,
        with_flow: bool = False,
        targets: int = 1,
    ):
        self.size_hw, self.seed, self.targets = (size_hw[0], size_hw[1]), seed, targets
        self._files = clip_files(folder, split)
        self._truth = (
            {
                number: path
                for number, path in enumerate(truth_file(file) for file in self._files)
                if path.exists()
            }
            if with_flow
            else None
        )
        if with_flow and not self._truth:
            raise DatasetError(
                f"{folder} holds no exact flow of the {split} split (truth/*.npz); render it "
                "with `dancers --truth`, or give flow_exact no weight"
            )
        self._open: OrderedDict[int, pq.ParquetFile] = OrderedDict()
        places: dict[str, list[tuple[int, int]]] = {}
        rows_of: dict[str, int] = {}
        self._has = {"landmarks": False, "hands": False}
        known = identities_of(Path(folder), self._files)
        for number, path in enumerate(self._files):
            one = known[path]
            self._has = {column: has or one.has[column] for column, has in self._has.items()}
            for row, identity in enumerate(one.identities):
                places.setdefault(identity, []).append((number, row))
            rows_of[path.name] = len(one.identities)
        self._places = [rows for _, rows in sorted(places.items()) if len(rows) >= 2]
        if not self._places:
            raise DatasetError(
                f"{folder}: no identity of the {split} split has two frames to pair; build the "
                "data set from longer clips"
            )
        self.identities = len(self._places)
        self.frames = sum(map(len, self._places))
        # Which pair a number means depends on these: a run that is resumed must find the same.
        self.fingerprint = hashlib.sha1(json.dumps(sorted(rows_of.items())).encode()).hexdigest()[
            :16
        ]

    def at(self, size_hw: tuple[int, int], seed: int | None = None) -> "PairSource":
        """The same pairs at another size, or those of another seed."""
        other = copy.copy(self)
        other.size_hw, other.seed = (size_hw[0], size_hw[1]), self.seed if seed is None else seed
        return other

    @property
    def summary(self) -> str:
        """For people: what there is."""
        return f"{self.frames} pictures of {self.identities} people"

    @property
    def facts(self) -> dict:
        """What a run notes."""
        return {
            "fingerprint": self.fingerprint,
            "identities": self.identities,
            "frames": self.frames,
        }

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        rng = np.random.default_rng([self.seed, number - number % self.targets])
        rows = self._places[
            rng.integers(self.identities)
        ]  # every person counts the same, however long the clip
        # Two at least; a person of few pictures shows some of them again.
        chosen = rng.choice(len(rows), min(len(rows), 1 + self.targets), replace=False)
        reference = rows[chosen[0]]
        target = rows[chosen[1 + number % self.targets % (len(chosen) - 1)]]
        pair = {}
        if self._truth is not None:
            file_number, row = target
            is_known = rng.random() < _SHARE_WITH_FLOW and file_number in self._truth and row > 0
            if is_known:
                reference = (file_number, 0)
            pair |= zip(
                ("flow", "flow_visible"),
                read_flow(self._truth[file_number], row, self.size_hw)
                if is_known
                else no_flow(self.size_hw),
            )
        for role, place in (("reference", reference), ("target", target)):
            pair |= self._picture(*place).arrays(role, **self._has)
        return pair

    def _picture(self, file_number: int, row: int) -> LabelledPicture:
        entry = read_row(self._file(file_number), self._files[file_number], row)
        return LabelledPicture(entry.image, entry.mask, entry.body).resized(self.size_hw)

    def _file(self, number: int) -> pq.ParquetFile:
        """Opened on first use in each worker process; the least recently used one is closed."""
        if number not in self._open:
            self._open[number] = open_clip(self._files[number])
            if len(self._open) > _OPEN_FILES:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(number)
        return self._open[number]


def collate(pairs: list[dict[str, np.ndarray]]) -> PairBatch:
    """One PairBatch from single pairs."""
    return PairBatch(
        **{name: torch.from_numpy(np.stack([pair[name] for pair in pairs])) for name in pairs[0]}
    )


def pair_batches(
    source: Pairs,
    batch: int,
    first_pair: int,
    last_pair: int,
    workers: int,
    *,
    share: range | None = None,
    pinned: bool = False,
) -> torch.utils.data.DataLoader:
    """Batches of the pairs first_pair .. last_pair - 1 in order, decoded in `workers` processes (0:
    here).

    share: the rows of each batch that are wanted, default all. pinned: in memory that a GPU reads
    from directly.
    """
    share = range(batch) if share is None else share
    return torch.utils.data.DataLoader(
        source,
        # Torch asks for lists by name; it only walks through them, and ranges take less memory.
        batch_sampler=[  # pyright: ignore[reportArgumentType]
            range(start + share.start, min(start + share.stop, last_pair))
            for start in range(first_pair, last_pair, batch)
        ],
        collate_fn=collate,
        num_workers=workers,
        multiprocessing_context=source.worker_start if workers else None,
        pin_memory=pinned,
        persistent_workers=False,
    )
