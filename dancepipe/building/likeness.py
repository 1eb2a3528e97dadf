"""Who and what is the same in several videos: copies of a video, and people.

A copy shows the same poses before the same scene: joints (poses.py) and perceptual hashes
(picture_hash.py), mirrored or not. Two dances in one room share the scene and few poses. A person
is known again by the clothes, where the scene looks the same too: the same session, cut into
several videos. The same clothes elsewhere may be anybody's: that is told, and left as it is.
Somebody in other clothes, or before another camera angle, is not known again.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from dancepipe.building.facts import ClipFacts, unpacked_poses
from dancepipe.building.picture_hash import distances, mirrored_hash
from dancepipe.building.poses import distances_to, mirrored_vectors

SAME_SCENE_BITS = 10  # of 64
SAME_POSE = 0.06  # torso lengths a joint
COPIED_SHARE = 0.5  # of the pictures of the smaller one
LIKE_THE_SAME, LIKE_ELSEWHERE = 0.9, 0.96  # of clothes


@dataclass(frozen=True)
class Likenesses:
    """What is alike: indices of clips, and of (clip, dancer)."""

    copies: dict[int, int]  # clip -> the one that has its pictures
    same: list[tuple[tuple[int, int], tuple[int, int]]]  # people, the surest first
    perhaps: list[tuple[tuple[int, int], tuple[int, int], float]]


def likenesses(clips: list[ClipFacts]) -> Likenesses:
    """clips: the better ones first; of copies the first one stays."""
    scenes = np.array([_usual(_scenes(clip)) for clip in clips], np.uint64)
    mirrored = np.array([mirrored_hash(int(value)) for value in scenes], np.uint64)
    copies: dict[int, int] = {}
    same, perhaps = [], []
    roots, places = _worn(clips)
    owners = np.array([index for index, _ in places], np.int64)
    for index, clip in enumerate(clips):
        if clip.kind != "video":
            continue
        here = distances(scenes[index : index + 1], scenes[:index])[0] <= SAME_SCENE_BITS
        flipped = distances(scenes[index : index + 1], mirrored[:index])[0] <= SAME_SCENE_BITS
        for other in map(int, np.flatnonzero(here | flipped)):
            if other not in copies and _is_copy(clip, clips[other]):
                copies[index] = other
                break
        if index in copies:
            continue
        own, before = np.flatnonzero(owners == index), np.flatnonzero(owners < index)
        for one, other in np.argwhere(roots[own] @ roots[before].T >= LIKE_THE_SAME):
            pair = places[before[other]], places[own[one]]
            likeness = float(roots[own[one]] @ roots[before[other]])
            if pair[0][0] in copies:
                continue
            if here[pair[0][0]]:
                same.append((round(likeness, 4), pair))
            elif likeness >= LIKE_ELSEWHERE:
                perhaps.append((*pair, round(likeness, 3)))
    same.sort(key=lambda one: (-one[0], one[1]))
    return Likenesses(copies, [pair for _, pair in same], perhaps)


def _worn(clips: list[ClipFacts]) -> tuple[np.ndarray, list[tuple[int, int]]]:
    """float32 (people, bins), whose products are Clothes.likeness, and (clip, dancer) of each."""
    known = [
        ((index, number), worn)
        for index, clip in enumerate(clips)
        for number, dancer in enumerate(clip.dancers)
        if (worn := dancer.worn()) is not None
    ]
    roots = [np.sqrt(worn.shares / 2).ravel() for _, worn in known]
    stacked = np.stack(roots).astype(np.float32) if roots else np.zeros((0, 1), np.float32)
    return stacked, [place for place, _ in known]


def _scenes(clip: ClipFacts) -> list[int]:
    return [value for dancer in clip.dancers for value in dancer.scene_hashes]


def _usual(values: Iterable[int]) -> int:
    """Bit by bit what most of them have."""
    hashes = np.array(list(values), ">u8")
    if not len(hashes):
        return 0
    bits = np.unpackbits(hashes.view(np.uint8).reshape(-1, 8), axis=1)
    return int.from_bytes(np.packbits(bits.mean(0) > 0.5).tobytes(), "big")


def _is_copy(one: ClipFacts, other: ClipFacts) -> bool:
    return max(_shared(one, other, flip) for flip in (False, True)) >= COPIED_SHARE


def _shared(one: ClipFacts, other: ClipFacts, flip: bool) -> float:
    """Share of the pictures of the smaller one that the other has too."""
    small, large = sorted((one, other), key=lambda clip: len(_scenes(clip)))
    scenes, poses = _scenes(small), _poses(small)
    if not scenes:
        return 0.0
    if flip:
        scenes, poses = list(map(mirrored_hash, scenes)), mirrored_vectors(poses)
    same = distances(np.array(scenes, np.uint64), np.array(_scenes(large), np.uint64))
    theirs = _poses(large)
    found = [
        bool(((bits <= SAME_SCENE_BITS) & (distances_to(theirs, pose) <= SAME_POSE)).any())
        for bits, pose in zip(same, poses, strict=True)
    ]
    return float(np.mean(found))


def _poses(clip: ClipFacts) -> np.ndarray:
    """(rows, 13, 2)."""
    return unpacked_poses([pose for dancer in clip.dancers for pose in dancer.poses])
