"""A finished video: each fault is caught by the number meant for it, and by no other."""

from dataclasses import replace
from fractions import Fraction
from functools import cache, partial

import av
import numpy as np
import pytest
from drawn import write_test_sound, write_test_video
from people import SIZE_WH, dancer_frames
from PIL import Image

from dancepipe.errors import BadVideoError, ConfigError
from dancepipe.evaluation import video
from dancepipe.evaluation.options import VIDEO_METRICS
from dancepipe.evaluation.video import score_video
from dancepipe.evaluation.video_frames import paired_times
from dancepipe.evaluation.video_sound import RATE_HZ, _offset, sound_scores
from dancepipe.person.finder import open_person_finder
from dancepipe.records import BodyPose, Pose
from dancepipe.skeletons import BLAZEPOSE_33

FRAMES = 20
ALL = tuple(name for name in VIDEO_METRICS if name not in ("identity", "truth"))
open_finder = partial(open_person_finder, mode="video")

# what an unharmed copy stays below, and every fault exceeds; of result less driver, or of the
# distance from 1
CAUGHT_ABOVE = {
    "frames_missing": 0.5,
    "frames_extra": 0.5,
    "time_error_seconds": 0.002,
    "audio_offset_seconds": 0.002,
    "audio_identical": 0.5,
    "found": 0.02,
    "flicker": 0.01,
    "warp_error": 0.004,
    "jitter": 0.015,
    "angle_error_degrees": 6,
    "hf": 0.01,  # a body drawn larger has the same detail on more pixels
    "height_ratio": 0.08,
    "turn_error_degrees": 10,
    "turned_away": 0.05,
    "bone_error": 0.12,
    "drift_colour": 0.03,
    "drift_detail": 0.15,
    "drift_angle_degrees": 4,
    "drift_height": 0.08,
}


def brighter(picture: np.ndarray, index: int) -> np.ndarray:
    return (picture * (1.0 if index % 2 else 0.8)).astype(np.uint8)


def noisy(picture: np.ndarray, index: int) -> np.ndarray:
    """Coarse blotches, new in every frame: no fine detail, no change of the mean."""
    blotches = np.random.default_rng(index).normal(0, 14, (40, 28, 1))
    blotches = np.asarray(
        Image.fromarray(blotches[..., 0].astype(np.float32)).resize(
            SIZE_WH, Image.Resampling.BICUBIC
        )
    )[..., None]
    return (picture + blotches).clip(0, 255).astype(np.uint8)


def trembling(picture: np.ndarray, index: int) -> np.ndarray:
    return np.roll(picture, 3 if index % 2 else -3, 1)


def cut(picture: np.ndarray, left: float, top: float, right: float, bottom: float) -> np.ndarray:
    """That part of the picture (shares of its sides), as large as the whole."""
    box = tuple(share * side for share, side in zip((left, top, right, bottom), SIZE_WH * 2))
    return np.asarray(Image.fromarray(picture).resize(SIZE_WH, Image.Resampling.LANCZOS, box=box))


def larger(picture: np.ndarray, index: int) -> np.ndarray:
    return cut(picture, 0.065, 0.1, 0.935, 0.97)


def growing(picture: np.ndarray, index: int) -> np.ndarray:
    margin = 0.005 * index
    return cut(picture, margin, margin, 1 - margin, 1 - margin)


def long_legged(picture: np.ndarray, index: int) -> np.ndarray:
    """The lower half stretched at the cost of the upper one: no larger, but another body."""
    image, (width, height) = Image.fromarray(picture), SIZE_WH
    hips, higher = round(0.52 * height), round(0.37 * height)
    parts = [
        ((width, higher), (0, 0, width, hips)),
        ((width, height - higher), (0, hips, width, height)),
    ]
    return np.vstack(
        [np.asarray(image.resize(size, Image.Resampling.LANCZOS, box=box)) for size, box in parts]
    )


def leaning(picture: np.ndarray, index: int, degrees: float = 12) -> np.ndarray:
    return np.asarray(
        Image.fromarray(picture).rotate(
            degrees, Image.Resampling.BICUBIC, fillcolor=tuple(int(part) for part in picture[2, 2])
        )
    )


def toppling(picture: np.ndarray, index: int) -> np.ndarray:
    return leaning(picture, index, 0.8 * index)


def fading(picture: np.ndarray, index: int) -> np.ndarray:
    return (picture * np.array([1, 1 - 0.008 * index, 1 - 0.016 * index])).astype(np.uint8)


def blurring(picture: np.ndarray, index: int) -> np.ndarray:
    if index < 3:
        return picture
    small = Image.fromarray(picture).resize(
        (SIZE_WH[0] // 2, SIZE_WH[1] // 2), Image.Resampling.BOX
    )
    return np.asarray(small.resize(SIZE_WH, Image.Resampling.BICUBIC))


def write(path, change=lambda picture, index: picture, frames=FRAMES, audio=True, **settings):
    pictures = dancer_frames()
    return write_test_video(
        path,
        frames,
        size_wh=SIZE_WH,
        draw=lambda index, _: change(pictures[index], index),
        options={"crf": "10"},
        audio=audio,
        audio_seconds=0.8,
        **settings,
    )


def with_late_sound(source, path, seconds: Fraction):
    with av.open(str(source)) as given, av.open(str(path), "w") as output:
        streams = {one: output.add_stream_from_template(one) for one in given.streams}
        packets = [packet for packet in given.demux() if packet.dts is not None]
        for packet in packets:
            if packet.stream.type == "audio":
                late = int(seconds / packet.time_base)
                packet.pts, packet.dts = packet.pts + late, packet.dts + late
            packet.stream = streams[packet.stream]
            output.mux(packet)


@pytest.fixture(scope="module")
def driver(tmp_path_factory):
    path = tmp_path_factory.mktemp("video") / "driver.mp4"
    write(path)
    return path


@pytest.fixture(autouse=True)
def looked_at_once(monkeypatch, driver):
    """The driver is the same for every fault."""
    read = video._read
    monkeypatch.setattr(
        video,
        "_read",
        lambda path, *rest: _once(path, read, *rest) if path == driver else read(path, *rest),
    )


@cache
def _once(path, read, *rest):
    return read(path, *rest)


def caught(driver, result) -> set[str]:
    """What cries out. Every measure must have a number, else that it is silent says nothing;
    identity alone has its own tests."""
    scores = score_video(driver, result, ALL, open_finder, bootstrap=0, shown=0)
    found = set()
    for name, limit in CAUGHT_ABOVE.items():
        own, other = scores.methods["result"][name], scores.methods["driver"].get(name)
        assert np.isfinite(own.value), name
        perfect = (
            other.value
            if other is not None
            else 1.0
            if name in ("height_ratio", "audio_identical")
            else 0.0
        )
        if abs(own.value - perfect) > limit:
            found.add(name)
    return found


def test_no_measure_is_left_out_of_these_fixtures():
    assert CAUGHT_ABOVE.keys() == {name for metric in ALL for name in VIDEO_METRICS[metric]}


FAULTS = {
    "none": (None, set()),
    "flicker": (brighter, {"flicker"}),
    "shimmer": (noisy, {"warp_error"}),
    "tremble": (trembling, {"jitter"}),
    "scaled body": (larger, {"height_ratio"}),
    "growing body": (growing, {"height_ratio", "drift_height"}),
    "longer legs": (long_legged, {"bone_error"}),
    "leaning": (leaning, {"angle_error_degrees"}),
    "leaning more and more": (toppling, {"angle_error_degrees", "drift_angle_degrees"}),
    "fading colours": (fading, {"drift_colour"}),
    "growing blur": (blurring, {"drift_detail", "hf"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_number(tmp_path, driver, fault):
    change, wanted = FAULTS[fault]
    if change is not None:
        write(tmp_path / "result.mp4", change)
    assert caught(driver, tmp_path / "result.mp4" if change is not None else driver) == wanted


class TurnedFinder:
    """Sees the people of `finder`, their depth turned about: fronts are backs."""

    def __init__(self, finder):
        self._finder = finder

    def find(self, image):
        person = self._finder.find(image)
        landmarks = person.body.landmarks.mirrored(2 * image.shape[1])
        turned = Pose(
            landmarks.points_px[BLAZEPOSE_33.mirror], landmarks.confidence, BLAZEPOSE_33,
            -landmarks.depth_px[BLAZEPOSE_33.mirror],
        )  # fmt: skip
        return replace(person, body=replace(person.body, landmarks=turned))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._finder.close()


def test_a_back_in_place_of_a_front_has_its_number_and_no_other(tmp_path, driver):
    """The same joints: depth alone tells."""
    finders = iter([open_finder, lambda: TurnedFinder(open_finder())])
    write(tmp_path / "result.mp4")
    scores = score_video(
        driver, tmp_path / "result.mp4", ("turn", "pose"), lambda: next(finders)(), bootstrap=0
    )
    result = scores.methods["result"]
    assert result["turn_error_degrees"].value == pytest.approx(180, abs=1)
    assert result["turned_away"].value == 1 and result["angle_error_degrees"].value < 1


def test_a_backend_without_depth_has_no_turns_and_says_so(driver):
    class Flat(TurnedFinder):
        def find(self, image):
            person = self._finder.find(image)
            return replace(person, body=BodyPose(person.pose))

    scores = score_video(driver, driver, ("turn",), lambda: Flat(open_finder()), bootstrap=0)
    assert "--pose mediapipe" in scores.not_available["turned_away"]
    assert not scores.methods["result"]


def write_at(path, frames: list[int], times: list[Fraction]) -> None:
    """These frames of the dance, at these times."""
    pictures = dancer_frames()
    write_test_video(
        path,
        len(times),
        size_wh=SIZE_WH,
        times=times,
        time_base=Fraction(1, 15360),
        draw=lambda index, _: pictures[frames[index]],
        options={"crf": "10"},
        audio=True,
        audio_seconds=0.8,
    )


def test_a_dropped_frame_is_missed_and_disturbs_nothing_else(tmp_path, driver):
    kept = [index for index in range(FRAMES) if index != 9]
    write_at(tmp_path / "result.mp4", kept, [Fraction(index, 30) for index in kept])
    assert caught(driver, tmp_path / "result.mp4") == {"frames_missing"}


def test_a_frame_too_many_is_counted_and_disturbs_nothing_else(tmp_path, driver):
    times = [Fraction(index, 30) for index in range(FRAMES)]
    write_at(
        tmp_path / "result.mp4",
        [*range(10), 9, *range(10, FRAMES)],
        sorted([*times, Fraction(19, 60)]),
    )
    assert caught(driver, tmp_path / "result.mp4") == {"frames_extra"}


def test_late_sound_is_measured(tmp_path, driver):
    with_late_sound(driver, tmp_path / "result.mp4", Fraction(1, 8))
    assert caught(driver, tmp_path / "result.mp4") == {"audio_offset_seconds", "audio_identical"}
    scores = sound_scores(driver, tmp_path / "result.mp4")
    assert (
        scores["audio_offset_seconds"] == pytest.approx(0.125, abs=1e-3)
        and scores["audio_identical"] == 0
    )


def test_equal_sound_lost_sound_and_no_sound(tmp_path, driver):
    assert sound_scores(driver, driver) == {"audio_identical": 1.0, "audio_offset_seconds": 0.0}
    write(tmp_path / "silent.mp4", frames=3, audio=False)
    lost, silent = (
        sound_scores(driver, tmp_path / "silent.mp4"),
        sound_scores(tmp_path / "silent.mp4", tmp_path / "silent.mp4"),
    )
    assert lost["audio_identical"] == 0 and np.isnan(lost["audio_offset_seconds"])
    assert silent["audio_identical"] == 1 and np.isnan(silent["audio_offset_seconds"])


def test_reencoded_sound_is_placed_by_its_waveform():
    random = np.random.default_rng(0)
    sound = random.normal(size=2 * RATE_HZ).astype(np.float32)
    late = np.pad(sound, (800, 0))[: len(sound)] + 0.2 * random.normal(size=len(sound)).astype(
        np.float32
    )
    assert _offset(sound, late) == pytest.approx(0.1) and _offset(late, sound) == pytest.approx(
        -0.1
    )
    assert np.isnan(_offset(sound, random.normal(size=len(sound)).astype(np.float32)))


@pytest.mark.parametrize(
    "result, paired",
    [
        ([0, 1, 2, 3], [0, 1, 2, 3]),
        ([0, 2, 3], [0, None, 1, 2]),
        ([1, 2, 3], [None, 0, 1, 2]),
        ([0, Fraction(1, 5), 1, 2, 3], [0, 2, 3, 4]),
        ([Fraction(1, 4), Fraction(5, 4), Fraction(9, 4), Fraction(13, 4)], [0, 1, 2, 3]),
        ([], [None] * 4),
    ],
    ids=["equal", "dropped", "first dropped", "extra", "a quarter late", "nothing"],
)
def test_frames_are_paired_by_their_times(result, paired):
    assert (
        paired_times([Fraction(index) for index in range(4)], [Fraction(time) for time in result])
        == paired
    )


def test_everything_late_is_an_error_of_time(tmp_path, driver):
    write(
        tmp_path / "result.mp4",
        times=[Fraction(index, 30) + Fraction(1, 120) for index in range(FRAMES)],
        time_base=Fraction(1, 15360),
    )
    scores = score_video(
        driver, tmp_path / "result.mp4", ("timing",), open_finder, bootstrap=0, shown=0
    )
    assert scores.methods["result"]["time_error_seconds"].value == pytest.approx(1 / 120)
    assert scores.methods["result"]["frames_missing"].value == 0


def test_short_videos_have_no_drift_and_say_so(tmp_path):
    write(tmp_path / "short.mp4", frames=5)
    scores = score_video(
        tmp_path / "short.mp4",
        tmp_path / "short.mp4",
        ("drift",),
        open_finder,
        bootstrap=0,
        shown=2,
    )
    assert scores.not_available["drift_colour"] == "5 frames; drift needs 20"
    assert scores.shown and scores.shown[0][1]["driver"].shape == scores.shown[0][1]["result"].shape


def test_bad_input_is_named(tmp_path, driver):
    write_test_sound(tmp_path / "sound.mp4")
    with pytest.raises(BadVideoError, match="sound.mp4"):
        score_video(driver, tmp_path / "sound.mp4", ("timing",), open_finder)
    with pytest.raises(ConfigError, match="a finished video has no lpips"):
        score_video(driver, driver, ("lpips",), open_finder)
