"""Pairs of rendered frames without a data set on disk: rendered by the loader's workers while
the network trains."""

import copy
import hashlib
import json
import os
from collections import OrderedDict
from dataclasses import astuple, dataclass, replace
from pathlib import Path

import numpy as np

from dancepipe.data.pairs import Pairs
from dancepipe.data.picture import LabelledPicture
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.synthetic.assets import load_assets
from dancepipe.synthetic.flow import exact_flow
from dancepipe.synthetic.frames import DancerFrame, FrameOptions, frames_of_person
from dancepipe.synthetic.person import Person, draw_person

# in the seeds of people: those of data sets have fewer than so many aspects, so that nobody held
# out is drawn, nor a part of him
_APART = 99


@dataclass(frozen=True)
class StreamOptions:
    """Pairs come in blocks of `block` from one lane; a lane shows `cast` people at a time and
    exchanges `fresh` of them a block.

    With `block` as the loader's batch size and a number of workers that divides `lanes`, every
    worker keeps to its own lanes and draws each person once. Any other setting gives the same
    pairs, only slower.
    """

    block: int = 16
    lanes: int = 12
    cast: int = 8
    fresh: int = 2
    frames: int = 6  # rendered of each person and block to pair among


class DancerPairs(Pairs):
    """Pairs of rendered people, each pair a pure function of (seed, n); landmarks and hands
    always. with_flow adds
    "flow" float32 (S, S, 2) and "flow_visible" bool (S, S): target pixel p shows reference pixel p
    + flow[p]. fabrics: a folder of photographs to cut cloth from; held_out: the seed of the data
    set whose people are held out. Raises AssetsError when the pack is absent or damaged.
    """

    def __init__(
        self,
        assets: Path | str | None,
        seed: int,
        frame_options: FrameOptions = FrameOptions(),
        stream: StreamOptions = StreamOptions(),
        with_flow: bool = False,
        fabrics: Path | None = None,
        held_out: int | None = None,
    ):
        self.folder = load_assets(assets).folder
        self.seed, self.frame_options, self.stream, self.with_flow = (
            seed,
            frame_options,
            stream,
            with_flow,
        )
        self._fabrics, self._held_out = fabrics, held_out
        self.size_hw = (frame_options.size_px, frame_options.size_px)
        # A worker forked while a thread of its parent is in the person finder would wait for that
        # thread for ever.
        self.worker_start = "spawn" if frame_options.detected_share > 0 else None
        self._people: dict[int, Person] = {}
        self._rendered: OrderedDict[tuple[int, int], list[DancerFrame]] = OrderedDict()

    def at(self, size_hw: tuple[int, int], seed: int | None = None) -> "DancerPairs":
        """The same people and movements at another size, or those of another seed. ConfigError
        for a size that is not square."""
        other = copy.copy(self)  # with stores of its own
        other.frame_options = replace(self.frame_options, size_px=_side_of(size_hw))
        other.size_hw = (size_hw[0], size_hw[1])
        other.seed = self.seed if seed is None else seed
        return other

    @property
    def summary(self) -> str:
        """For people: what there is."""
        return "people who are rendered as they are needed"

    @property
    def facts(self) -> dict:
        """What a run notes; which pair a number means depends on the fingerprint, so that a
        resumed run must find the same."""
        pack = (self.folder / "MANIFEST.json").read_text(encoding="utf-8")
        recipe = [astuple(self.frame_options), astuple(self.stream), self._held_out, pack]
        return {
            "fingerprint": hashlib.sha1(json.dumps(recipe).encode()).hexdigest()[:16],
            "rendered": True,
        }

    def __getitem__(self, number: int) -> dict[str, np.ndarray]:
        block, place = divmod(number, self.stream.block)
        generation, lane = divmod(block, self.stream.lanes)
        rng = np.random.default_rng((self.seed, 7, number))
        # Who is on: a window that moves along the lane's endless row of people; `place` goes round
        # so that a block shows all.
        member = generation * self.stream.fresh + (place + int(rng.integers(2))) % self.stream.cast
        identity = member * self.stream.lanes + lane
        frames = self._frames(identity, generation)
        first, second = rng.choice(len(frames), 2, replace=False)
        reference, target = frames[first], frames[second]
        pair = {}
        for role, frame in (("reference", reference), ("target", target)):
            picture = LabelledPicture(frame.image, frame.mask, frame.body)
            pair |= picture.arrays(role, landmarks=True, hands=True)
        if self.with_flow:
            pair["flow"], pair["flow_visible"] = exact_flow(
                self._person(identity, generation).figure, target.view, reference.view
            )
        return pair

    def _frames(self, identity: int, generation: int) -> list[DancerFrame]:
        key = (identity, generation)
        if key not in self._rendered:
            seed = (
                (self.seed + 1) * 1_000_003 + generation
            )  # other movements each time the person is on, and others than in data sets
            self._rendered[key] = list(
                frames_of_person(
                    load_assets(self.folder),
                    self._person(identity, generation),
                    seed,
                    identity,
                    self.stream.frames,
                    self.frame_options,
                )
            )
            if len(self._rendered) > self.stream.cast:
                self._rendered.popitem(last=False)
        self._rendered.move_to_end(key)
        return self._rendered[key]

    def _person(self, identity: int, generation: int) -> Person:
        if identity not in self._people:
            lane, first = identity % self.stream.lanes, generation * self.stream.fresh
            for gone in [
                other
                for other in self._people
                if other % self.stream.lanes == lane and other // self.stream.lanes < first
            ]:
                del self._people[
                    gone
                    # 10 MB each; who is kept need not be drawn again, which takes as long as six
                    # frames
                ]
            self._people[identity] = draw_person(
                load_assets(self.folder), (self.seed, identity, _APART), fabrics=self._fabrics
            )
        return self._people[identity]

    def __getstate__(self):
        # Copies start with empty stores: loader workers fill them with their own lanes.
        return self.__dict__ | {"_people": {}, "_rendered": OrderedDict()}


def pairs_by_recipe(
    data: Path,
    assets: str | None,
    seed: int,
    size_hw: tuple[int, int],
    batch: int,
    *,
    with_flow: bool,
) -> DancerPairs:
    """People like those of the rendered data set `data`, none of them in it, in blocks of `batch`
    pairs.

    Raises DatasetError when the data set was not rendered, ConfigError for a size that is not
    square, AssetsError.
    """
    path = Path(data) / "dataset.json"
    try:
        recipe = json.loads(path.read_text(encoding="utf-8"))
        seed_of_data, samples = recipe["seed"], recipe["samples"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DatasetError(
            f"{path} is not the recipe of rendered people ({error}); --stream needs a data set "
            "of `dancepipe dancers`"
        ) from error
    fabrics = recipe.get("fabrics")
    if fabrics and not os.path.isdir(fabrics):
        raise DatasetError(
            f"{path} names the folder of fabrics {fabrics}, which is not there; put it there, or "
            "render a data set with other ones"
        )
    frame_options = FrameOptions.by_recipe(
        _side_of(size_hw),
        samples,
        hard=recipe.get("hard", False),
        around=recipe.get("around", False),
        degraded=recipe.get("degraded", False),
        detected_share=recipe.get("detected_share", 0.0),
    )
    cast = max(
        1, min(batch // 2, StreamOptions.cast)
    )  # three renders a pair, where a block has two pairs or more
    stream = StreamOptions(
        block=batch, cast=cast, fresh=min(StreamOptions.fresh, max(1, cast // 4))
    )
    return DancerPairs(
        assets,
        seed,
        frame_options,
        stream,
        with_flow,
        Path(fabrics) if fabrics else None,
        seed_of_data,
    )


def _side_of(size_hw: tuple[int, int]) -> int:
    if size_hw[0] != size_hw[1]:
        raise ConfigError(
            f"rendered people are square, not {size_hw[1]} x {size_hw[0]}; leave --stream out, "
            "or train square pictures"
        )
    return size_hw[0]
