"""Our own reading of the BlazePose networks, held against mediapipe 0.10.14's graphs on clips and
photos.

    python tools/compare_mediapipe.py FOLDER... [--every 1] [--most 60]

Needs `pip install mediapipe==0.10.14`. First the stages, each given the same input: detector, body
network, mask. Then whole finders, and their CPU time in interleaved pairs of frames: photos; clips
in step, where ours goes on from what mediapipe's found in the frame before; clips on their own.
What is read in one frame says where to look in the next, and the networks answer to a thousandth of
a pixel: on their own, two runs drift apart like two throws of one die. So the last line gives the
measure of that: mediapipe's finder against itself, one grey level of one pixel of the first frame
changed.

Exit code 1 when a bar is missed (stages, photos, clips in step): points within .5 px in the median
and 2 px at 95 %, masks with an IoU of .99 in 95 %, the same people, no more CPU.
"""

import argparse
import copy
import sys
import time
from itertools import islice
from pathlib import Path

import numpy as np
from mediapipe_graphs import MediapipeBodies, MediapipeDetector

from dancepipe.media.image import load_photo
from dancepipe.media.read import VideoReader
from dancepipe.person.backends.pose_blazepose import MAX_SIDE_PX, BlazePoseBackend
from dancepipe.person.finder import PersonFinder, open_person_finder
from dancepipe.person.regions import fit_within

MEDIAN_PX, MOST_PX_AT_95, LEAST_IOU = 0.5, 2.0, 0.99
PARTS = (
    *("detector px", "detector score", "landmarks px", "depth px", "visibility", "presence"),
    *("next region px", "mask IoU"),
)
PICTURES, VIDEOS = (".jpg", ".jpeg", ".png"), (".mp4", ".mov", ".mkv", ".webm")


def mediapipe_backend() -> BlazePoseBackend:
    """Looks as ever, on mediapipe's own graphs."""
    backend = BlazePoseBackend(mask=True)
    backend.close()
    backend.detector, backend.bodies = MediapipeDetector(), MediapipeBodies(mask=True)
    return backend


def mediapipe_finder(mode: str) -> PersonFinder:
    return PersonFinder(mediapipe_backend(), mode=mode)


class Stages:
    """Differences of each stage, given the same picture and region."""

    def __init__(self):
        self.ours, self.theirs = BlazePoseBackend(mask=True), mediapipe_backend()
        self.pictures = self.unlike = 0  # unlike: not the same regions or bodies found
        self.parts = {name: [] for name in PARTS}

    def compare(self, image: np.ndarray) -> None:
        small, _ = fit_within(image, MAX_SIDE_PX)
        ours, theirs = self.ours.detector.detect(small), self.theirs.detector.detect(small)
        self.pictures += 1
        if len(ours) != len(theirs):
            self.unlike += 1
            return
        for own, other in zip(ours, theirs, strict=True):
            self._regions("detector px", own, other)
            self.parts["detector score"].append(abs(own.score - other.score))
            bodies = self.ours.bodies.read(small, other), self.theirs.bodies.read(small, other)
            if (bodies[0] is None) != (bodies[1] is None):
                self.unlike += 1
            elif bodies[0] is not None:
                self._bodies(*bodies)

    def _bodies(self, own, other) -> None:
        difference = own.landmarks - other.landmarks
        self.parts["landmarks px"] += np.hypot(*difference[:, :2].T).tolist()
        for name, column in (("visibility", 2), ("depth px", 3), ("presence", 4)):
            self.parts[name] += np.abs(difference[:, column]).tolist()
        self._regions("next region px", own.next_region, other.next_region)
        self.parts["mask IoU"].append(iou(own.mask > 0.5, other.mask > 0.5))

    def _regions(self, name, own, other) -> None:
        for first, second in (
            (own.center_xy_px, other.center_xy_px),
            (own.tip_xy_px, other.tip_xy_px),
        ):
            self.parts[name].append(float(np.hypot(*np.subtract(first, second))))


class Pairs:
    """Differences of two finders, frame by frame."""

    def __init__(self):
        self.joints, self.masks = [], []
        self.frames = self.unlike = 0

    def add(self, own, other) -> None:
        self.frames += 1
        if own is None or other is None:
            self.unlike += own is not other
            return
        self.unlike += own.people_seen != other.people_seen
        both = own.pose.present & other.pose.present
        self.joints += np.hypot(*(own.pose.points_px - other.pose.points_px)[both].T).tolist()
        self.masks.append(iou(own.mask > 127, other.mask > 127))

    def report(self, name: str) -> None:
        print(f"{name}: {self.frames} pictures; not the same people in {self.unlike}")
        print("  " + line("joints px", self.joints))
        print("  " + line("mask IoU", self.masks, low=True))

    def good_enough(self) -> bool:
        return self.unlike == 0 and good_enough(self.joints, self.masks)


class Clock:
    """CPU time of two finders, who begins taken in turns."""

    def __init__(self):
        self.seconds = []

    def find(self, finders, image: np.ndarray) -> list:
        people, seconds = [None, None], [0.0, 0.0]
        for i in (0, 1) if len(self.seconds) % 2 else (1, 0):
            started = time.process_time()
            people[i] = finders[i].find(image)
            seconds[i] = time.process_time() - started
        self.seconds.append(seconds)
        return people

    def report(self) -> None:
        ours, theirs = np.array(self.seconds[2:]).T * 1e3  # the first calls warm caches
        print(
            f"  CPU ms a picture: ours mean {ours.mean():.2f} median {np.median(ours):.2f}, "
            f"mediapipe mean {theirs.mean():.2f} median {np.median(theirs):.2f}, "
            f"median of pairs {np.median(ours / theirs):.3f}"
        )

    def good_enough(self) -> bool:
        ours, theirs = np.array(self.seconds[2:]).mean(0)
        return bool(ours <= theirs)


def compare_photos(pictures, pairs: Pairs, clock: Clock) -> None:
    finders = open_person_finder(mode="photo"), mediapipe_finder("photo")
    for picture in pictures:
        pairs.add(*clock.find(finders, picture))


def compare_clip(frames, in_step: Pairs, alone: Pairs, control: Pairs, clock: Clock) -> None:
    ours, step = (open_person_finder(mode="video") for _ in range(2))
    theirs, touched = (mediapipe_finder("video") for _ in range(2))
    for number, frame in enumerate(frames):
        if number:
            state = {
                name: value for name, value in vars(theirs._clip[1]).items() if name != "_backend"
            }
            vars(step._clip[1]).update(copy.deepcopy(state))
        stepped = step.find(frame)
        own, other = clock.find((ours, theirs), frame)
        if not number:
            frame = frame.copy()
            y, x = frame.shape[0] // 2, frame.shape[1] // 2
            frame[y, x, 0] ^= 1
        alone.add(own, other)
        in_step.add(stepped, other)
        control.add(touched.find(frame), other)


def iou(one: np.ndarray, other: np.ndarray) -> float:
    return float((one & other).sum() / max((one | other).sum(), 1))


def line(name: str, values, *, low: bool = False) -> str:
    """Median and the worse end of some figures; low: small ones are the worse."""
    share, end, worst = (5, "least", np.min) if low else (95, "most", np.max)
    return (
        f"{name:18} median {np.median(values):9.4f}   "
        f"{share:2} % {np.percentile(values, share):9.4f}   "
        f"{end} {worst(values):9.4f}   n {len(values)}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--every", type=int, default=1, help="every N-th frame of a clip")
    parser.add_argument("--most", type=int, default=60, help="frames of a clip at most")
    parsed = parser.parse_args()

    stages, clock_photos, clock_clips = Stages(), Clock(), Clock()
    photos, in_step, alone, control = (Pairs() for _ in range(4))
    paths = sorted(path for folder in parsed.folders for path in folder.iterdir())
    pictures = [load_photo(path) for path in paths if path.suffix.lower() in PICTURES]
    for picture in pictures:
        stages.compare(picture)
    compare_photos(pictures, photos, clock_photos)
    for path in paths:
        if path.suffix.lower() in VIDEOS:
            with VideoReader(path, max_side_px=MAX_SIDE_PX) as video:
                frames = [
                    frame.image
                    for frame in islice(video, 0, parsed.every * parsed.most, parsed.every)
                ]
            for frame in frames[::20]:
                stages.compare(frame)
            compare_clip(frames, in_step, alone, control, clock_clips)

    print(f"stages: {stages.pictures} pictures; not the same people in {stages.unlike}")
    for name, values in stages.parts.items():
        print("  " + line(name, values, low=name == "mask IoU"))
    good = stages.unlike == 0 and good_enough(
        stages.parts["landmarks px"], stages.parts["mask IoU"]
    )
    for name, pairs, clock in (
        ("finders, photos", photos, clock_photos),
        ("finders, clips in step", in_step, None),
        # fmt: skip
        ("finders, clips on their own", alone, clock_clips),
        ("mediapipe against itself", control, None),
    ):
        if pairs.frames:
            pairs.report(name)
            good &= pairs in (alone, control) or pairs.good_enough()
            if clock:
                clock.report()
                good &= clock.good_enough()
    return 0 if good else 1


def good_enough(distances_px, ious) -> bool:
    close = (
        np.median(distances_px) <= MEDIAN_PX and np.percentile(distances_px, 95) <= MOST_PX_AT_95
    )
    return bool(close and np.percentile(ious, 5) >= LEAST_IOU)


if __name__ == "__main__":
    sys.exit(main())
