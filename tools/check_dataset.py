"""Does build-dataset keep dancers apart? Rendered people, two and three in one picture, who cross;
shots that are cut together; captions over the body: through the whole builder, against the truth.

    python tools/check_dataset.py --assets DIR --out FOLDER [--crossings 50] [--seed 5]

FOLDER gets the videos and the data sets, to be looked at. Prints a table; exit code 1 when a figure
misses its bar. Without the asset pack it says so and ends with exit code 0.
"""

import argparse
import sys
from collections import Counter
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import av
import cv2
import numpy as np

from dancepipe.building.build import build_dataset
from dancepipe.building.facts import read_facts
from dancepipe.building.options import BuildDatasetOptions, CleaningOptions
from dancepipe.data.store import clip_files, read_clip
from dancepipe.person.crop import pose_from_box
from dancepipe.synthetic.assets import AssetsError, load_assets
from dancepipe.synthetic.camera import aim_camera, draw_light
from dancepipe.synthetic.joints import find_joints
from dancepipe.synthetic.motion import facing_yaw, posture_at
from dancepipe.synthetic.person import draw_person
from dancepipe.synthetic.posture import pose_bones
from dancepipe.synthetic.render import render_figure
from dancepipe.synthetic.room import draw_room

SIZE_WH = (640, 400)
SPRITE_PX = 300
RATE = 12
PEOPLE, FRAMES = 10, 42
MOST_SWITCHES, LEAST_CUTS, MOST_FALSE_CUTS = 0, 0.98, 0.01
LEAST_CAPTIONS, MOST_FALSE_CAPTIONS = 0.9, 0.02
OURS = 0.35  # a row shows whose joints are nearer than this, in torsos


@dataclass(frozen=True)
class Sprite:
    """One person in one frame: uint8 RGB (S, S, 3), mask (S, S), joints (18, 2) px."""

    image: np.ndarray
    alpha: np.ndarray
    joints: np.ndarray


@dataclass(frozen=True)
class Placed:
    """A person in a picture: the middle of the sprite, its scale."""

    person: int
    frame: int
    x: float
    y: float
    scale: float


@dataclass(frozen=True)
class Video:
    path: Path
    truth: list[dict[int, np.ndarray]]  # of each frame: person -> joints (18, 2) px
    cuts: set[int]
    has_caption: bool = False


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--assets", help="default: environment variable DANCEPIPE_DANCERS")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--crossings", type=int, default=50)
    parser.add_argument("--seed", type=int, default=5)
    options = parser.parse_args()
    try:
        assets = load_assets(options.assets)
    except AssetsError as error:
        print(f"skipped: {error}")
        return
    rng = np.random.default_rng(options.seed)
    people = [film(assets, options.seed, number, rng) for number in range(PEOPLE)]
    (options.out / "videos").mkdir(parents=True, exist_ok=True)
    crossings = [
        crossing(options.out / "videos" / f"cross-{number:02d}.mp4", people, pair, rng, number)
        for number, pair in enumerate(pairs_of(rng, options.crossings))
    ]
    shots = [shot_video(options.out / "videos" / f"cuts-{n}.mp4", people, rng) for n in range(8)]
    captions = [
        captioned(options.out / "videos" / f"caption-{n}.mp4", people, rng, n) for n in range(6)
    ]
    clean = replace(CleaningOptions(), most_poses=0, min_pose=0.0, min_motion=0.0, duplicates=False)
    settings = BuildDatasetOptions(fps=0, test_share=0, clean=clean)
    lines = []
    lines += crossing_lines(crossings, built(crossings, options.out / "crossings", settings))
    lines += cut_lines(shots, built(shots, options.out / "cuts", settings))
    lines += caption_lines(captions, built(captions, options.out / "captions", settings))
    for name, figure, bar, is_met in lines:
        print(f"{name:44} {figure:>16}   {bar:12} {'' if is_met else 'MISSED'}")
    if not all(is_met for *_, is_met in lines):
        sys.exit(1)


def film(assets, seed: int, number: int, rng: np.random.Generator) -> list[Sprite]:
    """A drawn person dancing, seen from one side."""
    person = draw_person(assets, (seed, number))
    clips = [clip for clip in assets.clips if len(clip.rotations) > 3 * FRAMES]
    clip = clips[rng.integers(len(clips))]
    step = 2.5  # of the motion capture's 30 a second
    start = rng.uniform(0, len(clip.rotations) - 1 - step * FRAMES)
    postures = [posture_at(assets, person.rig, clip, start + step * n) for n in range(FRAMES)]
    yaw = facing_yaw(assets, postures[FRAMES // 2]) + rng.normal(0, 0.4)
    light = draw_light(rng, yaw)
    sprites = []
    for posture in postures:
        bones = pose_bones(person.rig, posture)
        middle = (bones.heads_dm.max(0) + bones.heads_dm.min(0)) / 2
        # The mean height of a drawn person is some 17 dm: room for raised arms.
        camera = aim_camera(
            middle, yaw, 0.05, 45.0, SPRITE_PX * 45.0 / 25.0, (SPRITE_PX, SPRITE_PX)
        )
        view = render_figure(person.figure, bones, camera, light, 2)
        pose, _ = find_joints(person.figure, person.joint_places, view)
        sprites.append(Sprite(view.image, view.alpha, pose.points_px))
    return sprites


def pairs_of(rng: np.random.Generator, count: int) -> list[tuple[int, ...]]:
    """Two people each, every fifth time three."""
    pairs = list(combinations(range(PEOPLE), 2))
    chosen = [
        pairs[n] for n in rng.permutation(len(pairs) * (1 + count // len(pairs))) % len(pairs)
    ]
    result = []
    for number, pair in enumerate(chosen[:count]):
        third = next(n for n in rng.permutation(PEOPLE) if n not in pair)
        result.append((*pair, int(third)) if number % 5 == 4 else pair)
    return result


def crossing(path: Path, people, who: tuple[int, ...], rng, number: int) -> Video:
    """The first two change places once, in front of each other; a third stands in between."""
    room = draw_background(rng)
    scales = rng.uniform(0.75, 1.1, len(who))
    places = [0.22, 0.78, 0.5]
    begin, end = 10, FRAMES - 10
    bounces = number % 4 == 3  # back where they came from, which place and speed do not tell
    placed = []
    for frame in range(FRAMES):
        share = np.clip((frame - begin) / (end - begin), 0, 1)
        share = share * share * (3 - 2 * share)
        if bounces:
            share = 0.5 - abs(share - 0.5)
        now = []
        for index, person in enumerate(who):
            x = places[index]
            if index < 2:
                x += share * (places[1 - index] - x)
            y = SIZE_WH[1] - 20 - scales[index] * SPRITE_PX / 2
            now.append(Placed(person, frame, x * SIZE_WH[0], y, float(scales[index])))
        placed.append(now)
    return filmed(path, people, [room] * FRAMES, placed, set())


def shot_video(path: Path, people, rng) -> Video:
    """Shots of half a second to two, of one or two people each, cut together."""
    rooms, placed, cuts = [], [], set()
    last: set[int] = set()
    while len(rooms) < 120:
        length = int(rng.integers(6, 24))
        who = [int(n) for n in rng.permutation(PEOPLE) if n not in last][: rng.integers(1, 3)]
        last = set(who)
        room, scale = draw_background(rng), rng.uniform(0.8, 1.2)
        begin = int(rng.integers(0, FRAMES - length))
        if rooms:
            cuts.add(len(rooms))
        for frame in range(begin, begin + length):
            rooms.append(room)
            placed.append([
                Placed(person, frame, (0.3 + 0.4 * n) * SIZE_WH[0], SIZE_WH[1] / 2, float(scale))
                for n, person in enumerate(who)
            ])  # fmt: skip
    return filmed(path, people, rooms, placed, cuts)


def captioned(path: Path, people, rng, number: int) -> Video:
    """One person; in every second video with words over the body."""
    room, person = draw_background(rng), number % PEOPLE
    placed = [
        [Placed(person, frame, SIZE_WH[0] * (0.4 + 0.2 * frame / FRAMES), SIZE_WH[1] / 2, 1.2)]
        for frame in range(FRAMES)
    ]
    words = "FOLLOW ME FOR MORE DANCES" if number % 2 == 0 else ""
    return filmed(path, people, [room] * FRAMES, placed, set(), words)


def draw_background(rng) -> np.ndarray:
    side = max(SIZE_WH)
    return draw_room(rng, side)[: SIZE_WH[1], : SIZE_WH[0]]


def filmed(path: Path, people, rooms, placed, cuts: set[int], words: str = "") -> Video:
    truth = []
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=RATE)
        stream.width, stream.height = SIZE_WH
        stream.pix_fmt, stream.options = "yuv420p", {"crf": "18"}
        for room, now in zip(rooms, placed, strict=True):
            picture, joints = room.astype(np.float32).copy(), {}
            for one in sorted(now, key=lambda one: one.scale):  # the nearer one is larger
                joints[one.person] = draw(picture, people[one.person][one.frame], one)
            image = np.ascontiguousarray((picture + 0.5).clip(0, 255).astype(np.uint8))
            if words:
                place = (60, SIZE_WH[1] // 2 + 20)
                cv2.putText(image, words, place, cv2.FONT_HERSHEY_DUPLEX, 1.1, (255, 255, 255), 3)
            truth.append(joints)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        container.mux(stream.encode())
    return Video(path, truth, cuts, bool(words))


def draw(picture: np.ndarray, sprite: Sprite, at: Placed) -> np.ndarray:
    """The person over the picture; the joints there."""
    offset = np.array([at.x, at.y]) - at.scale * (SPRITE_PX - 1) / 2
    change = np.array([[at.scale, 0, offset[0]], [0, at.scale, offset[1]]])
    size_wh = picture.shape[1], picture.shape[0]
    image = cv2.warpAffine(sprite.image, change, size_wh, flags=cv2.INTER_AREA).astype(np.float32)
    alpha = cv2.warpAffine(sprite.alpha, change, size_wh, flags=cv2.INTER_AREA)[..., None] / 255
    picture += (image - picture) * alpha.astype(np.float32)
    return sprite.joints * at.scale + offset


def built(videos: list[Video], out: Path, settings: BuildDatasetOptions) -> dict[Path, Path]:
    """Video -> its clip."""
    build_dataset([str(video.path) for video in videos], out, settings)
    clips = {}
    for path in clip_files(out):
        facts = read_facts(path)
        if facts is not None:
            clips[Path(facts.source)] = path
    return clips


def crossing_lines(videos: list[Video], clips: dict[Path, Path]) -> list[tuple]:
    impure = strangers = rows = 0
    kept, names, away = 0, [], []
    for video in videos:
        if video.path not in clips:
            continue
        shown: dict[str, list[int | None]] = {}
        for row in read_clip(clips[video.path]):
            person, error = who_is(row, video.truth[row.frame_index])
            shown.setdefault(row.identity, []).append(person)
            rows += 1
            strangers += person is None
            away.append(error)
        known = {name: [one for one in all_ if one is not None] for name, all_ in shown.items()}
        mixed = [name for name, found in known.items() if len(set(found)) > 1]
        impure += bool(mixed)
        for name in mixed:
            print(f"  {video.path.name}: {name} is {dict(Counter(known[name]))}")
        kept += sum(map(len, known.values()))
        names.append(len(known) / len(video.truth[0]))
    there = sum(len(people) for video in videos for people in video.truth)
    return [
        ("crossings with an identity switch", f"{impure} of {len(videos)}", "0",
         impure <= MOST_SWITCHES),
        ("pictures of nobody, or of two", f"{strangers / max(rows, 1):.2%}", "", True),
        ("bodies kept, of all there", f"{kept / there:.1%}", "", True),
        ("names a person (1: found again afterwards)", f"{np.mean(names):.2f}", "", True),
        ("joints off, torsos (median of pictures)", f"{np.nanmedian(away):.3f}", "", True),
    ]  # fmt: skip


def who_is(row, people: dict[int, np.ndarray]) -> tuple[int | None, float]:
    """Whose joints are nearest, and how far they are off in torsos; None when all are far."""
    pose = pose_from_box(row.pose, row.box_xyxy_px, row.image.shape[0])
    best, least = None, np.inf
    for person, joints in people.items():
        torso = float(np.hypot(*(joints[1] - joints[[8, 11]].mean(0)))) or 1.0
        off = np.hypot(*(pose.points_px - joints)[pose.present].T)
        away = float(np.median(off)) / max(torso, 30.0)
        if away < least:
            best, least = person, away
    return (best, least) if least < OURS else (None, np.nan)


def cut_lines(videos: list[Video], clips: dict[Path, Path]) -> list[tuple]:
    there = found = false = 0
    for video in videos:
        there += len(video.cuts)
        facts = read_facts(clips[video.path]) if video.path in clips else None
        cuts = set(facts.cut_frames) if facts else set()
        found += len(cuts & video.cuts)
        false += len(cuts - video.cuts)
    share, wrong = found / max(there, 1), false / max(found + false, 1)
    return [
        ("cuts found", f"{found} of {there}", ">= 98 %", share >= LEAST_CUTS),
        ("false cuts, of those found", f"{wrong:.1%}", "<= 1 %", wrong <= MOST_FALSE_CUTS),
    ]


def caption_lines(videos: list[Video], clips: dict[Path, Path]) -> list[tuple]:
    shares: dict[bool, list[float]] = {True: [], False: []}
    for video in videos:
        facts = read_facts(clips[video.path]) if video.path in clips else None
        share = 1.0 if facts is None else facts.dropped.get("caption", 0) / facts.bodies
        shares[video.has_caption].append(share)
    with_, without = np.mean(shares[True]), np.mean(shares[False])
    return [
        ("bodies under captions left out", f"{with_:.1%}", ">= 90 %", with_ >= LEAST_CAPTIONS),
        ("others left out as if", f"{without:.1%}", "<= 2 %", without <= MOST_FALSE_CAPTIONS),
    ]


if __name__ == "__main__":
    main()
