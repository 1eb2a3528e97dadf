"""Names of backends become objects here, once, and every backend is held to the same rules of
input and output."""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from dancepipe.errors import ConfigError
from dancepipe.files.plain_records import packed, unpacked
from dancepipe.person.clothes import Clothes
from dancepipe.person.crowd import CrowdTracker, Tracked
from dancepipe.person.look import PoseBackend, Sighting
from dancepipe.person.track import LIKE_THE_PERSON, Named, PersonTracker, read_everyone
from dancepipe.records import PersonFrame

POSE_BACKENDS = ("mediapipe", "yolo")
MASK_BACKENDS = ("mediapipe", "rembg", None)
MODES = ("video", "photo")
MIN_SIDE_PX = 8  # nobody is found in less


class Segmenter(Protocol):
    """What segment_*.py give: the mask (uint8 (H, W), 255 = person) of that one person."""

    held_box: Any  # what is carried from one frame of a clip to the next, plain numbers; or None

    def segment(self, image: np.ndarray, person: PersonFrame) -> np.ndarray: ...
    def close(self) -> None: ...


@dataclass(frozen=True)
class SeenPerson:
    """One of several people, and what tells that person from the others."""

    person: PersonFrame
    sighting: Sighting
    clothes: Clothes | None
    size_wh: tuple[int, int]  # of the picture that the sighting lies in


class PersonFinder:
    """Finds the people of a photo (mode "photo"), or follows one person through a clip (mode
    "video"): joints, mask, and how many people are there."""

    def __init__(
        self,
        backend: PoseBackend,
        segmenter: Segmenter | None = None,
        *,
        mode: str = "video",
        named: Named | None = None,
    ):
        """Both are owned from here on: close() closes them. named: as PersonTracker has it."""
        self._backend, self._segmenter, self._mode = backend, segmenter, mode
        self._named = named
        self._clip: tuple[tuple[int, int], PersonTracker] | None = None  # of frames of that size
        self._crowd: CrowdTracker | None = None
        self._closed = False

    def find(self, image: np.ndarray) -> PersonFrame | None:
        """image: uint8 RGB (H, W, 3) of any size -> the one person who is chosen, or followed, in
        the picture's own pixels, or None when nobody is seen.

        In mode "video" give the frames of ONE clip in order; a frame of another size than the one
        before starts the following anew. In mode "photo" each picture is taken for itself, from as
        many threads as you like. ValueError for anything that is no such picture.
        """
        if not self._can_hold_a_person(image):
            return None
        if self._mode == "photo":
            tracker = PersonTracker(self._backend)
        else:
            if self._clip is None or self._clip[0] != image.shape[:2]:
                self._clip = image.shape[:2], PersonTracker(self._backend, self._named)
            tracker = self._clip[1]
        person = tracker.find(self._backend.look(image))
        return None if person is None else self._with_mask(image, person)

    def follow_all(self, image: np.ndarray, *, is_cut: bool = False) -> list[Tracked]:
        """image as find has it, the frames of ONE clip in order, all of one size -> everyone in it,
        each with the number of a track that is one person (crowd.py). is_cut: another shot begins.
        Of a finder in mode "video"; ValueError for another one."""
        if self._mode != "video":
            raise ValueError("follow_all needs a finder in mode video")
        if not self._can_hold_a_person(image):
            return []
        self._crowd = self._crowd or CrowdTracker(self._backend)
        found = self._crowd.find(self._backend.look(image), is_cut=is_cut)
        return [replace(one, person=self._with_mask(image, one.person)) for one in found]

    def find_all(self, image: np.ndarray) -> list[PersonFrame]:
        """image as find has it -> everyone in it, whom find would choose first; of a finder in mode
        "photo". ValueError for another one."""
        if self._mode != "photo":
            raise ValueError("find_all needs a finder in mode photo; one in mode video follows")
        if not self._can_hold_a_person(image):
            return []
        people = read_everyone(self._backend.look(image), self._backend)
        return [self._with_mask(image, person) for person in people]

    def find_closely(self, image: np.ndarray) -> list[SeenPerson]:
        """image as find has it -> everyone in it from left to right, without masks, also those whom
        find_all misses in a group; takes several times as long."""
        if not self._can_hold_a_person(image):
            return []
        look = self._backend.look(image)
        readings = sorted(look.everyone(), key=lambda one: one.sighting.center_xy_px[0])
        people = [(one, look.person(one)) for one in readings]
        return [
            SeenPerson(
                replace(person, people_seen=len(people)),
                one.sighting,
                look.clothes(one),
                look.size_wh,
            )
            for one, person in people
            if person is not None
        ]

    def find_like(self, image: np.ndarray, clothes: Clothes) -> PersonFrame | None:
        """Of find_closely whoever wears clothes most like these; None when that is nobody."""
        seen = self.find_closely(image)
        likeness = [one.clothes.likeness(clothes) if one.clothes else 0.0 for one in seen]
        best = max(range(len(seen)), key=likeness.__getitem__, default=None)
        if best is None or likeness[best] < LIKE_THE_PERSON:
            return None
        return self._with_mask(image, seen[best].person)

    def _can_hold_a_person(self, image: np.ndarray) -> bool:
        """Whether the picture is large enough. ValueError for what is no picture."""
        if self._closed:
            raise ValueError("this person finder is closed")
        if (
            not isinstance(image, np.ndarray)
            or image.dtype != np.uint8
            or image.ndim != 3
            or image.shape[2] != 3
        ):
            got = f"{getattr(image, 'dtype', type(image).__name__)} {getattr(image, 'shape', '')}"
            raise ValueError(f"find needs a uint8 RGB picture (H, W, 3), got {got}")
        return min(image.shape[:2]) >= MIN_SIDE_PX

    def _with_mask(self, image: np.ndarray, person: PersonFrame) -> PersonFrame:
        if self._segmenter is None:
            return person
        return replace(person, mask=self._segmenter.segment(image, person))

    def memory(self) -> dict[str, np.ndarray]:
        """In mode "video": what is carried from one frame to the next, as plain arrays."""
        clip = None if self._clip is None else (self._clip[0], self._clip[1].memory())
        held = None if self._segmenter is None else self._segmenter.held_box
        return packed({"clip": clip, "held_box": held}, self._records)

    def recall(self, memory: dict[str, np.ndarray]) -> None:
        """Go on behind the frame after which that was memory(), of a finder opened alike: what
        follows is the same, bit for bit. ValueError for anything else."""
        kept = unpacked(memory, self._records)
        if kept["clip"] is not None:
            size_hw, tracked = kept["clip"]
            self._clip = size_hw, PersonTracker(self._backend, self._named)
            self._clip[1].recall(tracked)
        if self._segmenter is not None:
            self._segmenter.held_box = kept["held_box"]

    @property
    def _records(self) -> tuple[type, ...]:
        return Sighting, Clothes, *self._backend.records

    def close(self) -> None:
        """Frees the backends. Closing twice is allowed; find afterwards raises ValueError."""
        if not self._closed:
            self._closed = True
            self._backend.close()
            if self._segmenter is not None:
                self._segmenter.close()

    def __enter__(self) -> "PersonFinder":
        return self

    def __exit__(self, *exception) -> None:
        self.close()


def open_person_finder(
    pose: str = "mediapipe",
    mask: str | None = "mediapipe",
    *,
    hands: bool = False,
    mode: str = "video",
    named: Named | None = None,
    yolo_weights: Path | str | None = None,
    rembg_model: str = "u2net_human_seg",
    device: str = "cpu",
) -> PersonFinder:
    """pose: "mediapipe" or "yolo" (extra). mask: "mediapipe", "rembg" (extra) or None for no masks.
    hands: read both hands too, which mediapipe alone can.

    mode "video" follows one person through the frames of one clip (open a finder for each clip);
    "photo" takes every picture for itself. named: whom to follow, as PersonTracker has it.
    yolo_weights: a local pose .pt file or a published name; rembg_model: a name of
    segment_rembg.MODELS; device: of yolo and rembg ("cpu", "cuda", ...), mediapipe runs on the CPU.
    Raises ConfigError for unknown names, MissingExtraError, WeightsError.
    """
    if pose not in POSE_BACKENDS:
        raise ConfigError(f"unknown pose backend {pose!r}: choose from {', '.join(POSE_BACKENDS)}")
    if mask not in MASK_BACKENDS:
        raise ConfigError(f"unknown mask backend {mask!r}: choose from mediapipe, rembg, or none")
    if mode not in MODES:
        raise ConfigError(f"unknown mode {mode!r} of a person finder: choose {' or '.join(MODES)}")
    if hands and pose != "mediapipe":
        raise ConfigError(
            f"the pose backend {pose} reads no hands: choose mediapipe, or leave hands out"
        )
    if pose == "mediapipe":
        from dancepipe.person.backends.pose_blazepose import BlazePoseBackend

        backend = BlazePoseBackend(mask=mask == "mediapipe", hands=hands)
    else:
        from dancepipe.person.backends.pose_yolo import YoloPoseBackend

        backend = YoloPoseBackend(weights=yolo_weights, device=device)

    segmenter = None
    try:
        if mask == "rembg":
            from dancepipe.person.backends.segment_rembg import RembgSegmenter

            segmenter = RembgSegmenter(rembg_model, device=device, steady=mode == "video")
        elif mask == "mediapipe" and pose != "mediapipe":
            from dancepipe.person.backends.segment_blazepose import BlazePoseSegmenter

            segmenter = BlazePoseSegmenter()
    except BaseException:
        backend.close()
        raise
    return PersonFinder(backend, segmenter, mode=mode, named=named)
