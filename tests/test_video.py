"""A finished video: each fault is caught by the number meant for it, and by no other."""

from fractions import Fraction
from functools import cache, partial

import av
import numpy as np
import pytest
from drawn import write_test_sound, write_test_video
from people import SIZE_WH, dancer_frames
from PIL import Image

from dancepipe.errors import BadVideoError, ConfigError
from dancepipe.evaluate import video
from dancepipe.evaluate.options import VIDEO_METRICS
from dancepipe.evaluate.video import score_video
from dancepipe.evaluate.video_frames import paired_times
from dancepipe.evaluate.video_sound import RATE_HZ, _offset, sound_scores
from dancepipe.person.finder import open_person_finder

FRAMES = 20
ALL = tuple(VIDEO_METRICS)
open_finder = partial(open_person_finder, mode="video")

# what an unharmed copy stays below, and every fault exceeds; of result less driver, or of the distance from 1
CAUGHT_ABOVE = {
    "frames_missing": 0.5,
    "frames_extra": 0.5,
    "time_error_seconds": 0.002,
    "audio_offset_seconds": 0.002,
    "flicker": 0.01,
    "warp_error": 0.004,
    "jitter": 0.015,
    "angle_error_degrees": 6,
    "hf": 0.01,  # a body drawn larger has the same detail on more pixels
    "height_ratio": 0.08,
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
    blotches = np.asarray(Image.fromarray(blotches[..., 0].astype(np.float32)).resize(SIZE_WH, Image.Resampling.BICUBIC))[..., None]
    return (picture + blotches).clip(0, 255).astype(np.uint8)


def trembling(picture: np.ndarray, index: int) -> np.ndarray:
    return np.roll(picture, 3 if index % 2 else -3, 1)


def larger(picture: np.ndarray, index: int) -> np.ndarray:
    width, height = SIZE_WH
    return np.asarray(
        Image.fromarray(picture).resize(SIZE_WH, Image.Resampling.LANCZOS, box=(0.065 * width, 0.1 * height, 0.935 * width, 0.97 * height))
    )


def fading(picture: np.ndarray, index: int) -> np.ndarray:
    return (picture * np.array([1, 1 - 0.008 * index, 1 - 0.016 * index])).astype(np.uint8)


def blurring(picture: np.ndarray, index: int) -> np.ndarray:
    if index < 3:
        return picture
    small = Image.fromarray(picture).resize((SIZE_WH[0] // 2, SIZE_WH[1] // 2), Image.Resampling.BOX)
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
    monkeypatch.setattr(video, "_read", lambda path, *rest: _once(path, read, *rest) if path == driver else read(path, *rest))


@cache
def _once(path, read, open_finder, shown):
    return read(path, open_finder, shown)


def caught(driver, result) -> set[str]:
    scores = score_video(driver, result, ALL, open_finder, bootstrap=0, shown=0)
    found = set()
    for name, limit in CAUGHT_ABOVE.items():
        own, other = (scores.methods[method].get(name) for method in ("result", "driver"))
        if own is None:
            continue
        reference = other.value if other is not None else 1.0 if name == "height_ratio" else 0.0
        if abs(own.value - reference) > limit:
            found.add(name)
    return found


FAULTS = {
    "none": (None, set()),
    "flicker": (brighter, {"flicker"}),
    "shimmer": (noisy, {"warp_error"}),
    "tremble": (trembling, {"jitter"}),
    "scaled body": (larger, {"height_ratio"}),
    "fading colours": (fading, {"drift_colour"}),
    "growing blur": (blurring, {"drift_detail", "hf"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_each_fault_has_its_number(tmp_path, driver, fault):
    change, wanted = FAULTS[fault]
    if change is not None:
        write(tmp_path / "result.mp4", change)
    assert caught(driver, tmp_path / "result.mp4" if change is not None else driver) == wanted


def test_a_dropped_frame_is_missed_and_disturbs_nothing_else(tmp_path, driver):
    times = [Fraction(index, 30) for index in range(FRAMES) if index != 9]
    pictures = [picture for index, picture in enumerate(dancer_frames()[:FRAMES]) if index != 9]
    write_test_video(
        tmp_path / "result.mp4", len(times), size_wh=SIZE_WH, times=times, draw=lambda index, _: pictures[index], options={"crf": "10"},
        audio=True, audio_seconds=0.8,
    )  # fmt: skip
    assert caught(driver, tmp_path / "result.mp4") == {"frames_missing"}


def test_late_sound_is_measured(tmp_path, driver):
    with_late_sound(driver, tmp_path / "result.mp4", Fraction(1, 8))
    assert caught(driver, tmp_path / "result.mp4") == {"audio_offset_seconds"}
    scores = sound_scores(driver, tmp_path / "result.mp4")
    assert scores["audio_offset_seconds"] == pytest.approx(0.125, abs=1e-3) and scores["audio_identical"] == 0


def test_equal_sound_lost_sound_and_no_sound(tmp_path, driver):
    assert sound_scores(driver, driver) == {"audio_identical": 1.0, "audio_offset_seconds": 0.0}
    write(tmp_path / "silent.mp4", frames=3, audio=False)
    lost, silent = sound_scores(driver, tmp_path / "silent.mp4"), sound_scores(tmp_path / "silent.mp4", tmp_path / "silent.mp4")
    assert lost["audio_identical"] == 0 and np.isnan(lost["audio_offset_seconds"])
    assert silent["audio_identical"] == 1 and np.isnan(silent["audio_offset_seconds"])


def test_reencoded_sound_is_placed_by_its_waveform():
    random = np.random.default_rng(0)
    sound = random.normal(size=2 * RATE_HZ).astype(np.float32)
    late = np.pad(sound, (800, 0))[: len(sound)] + 0.2 * random.normal(size=len(sound)).astype(np.float32)
    assert _offset(sound, late) == pytest.approx(0.1) and _offset(late, sound) == pytest.approx(-0.1)
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
    assert paired_times([Fraction(index) for index in range(4)], [Fraction(time) for time in result]) == paired


def test_everything_late_is_an_error_of_time(tmp_path, driver):
    write(tmp_path / "result.mp4", times=[Fraction(index, 30) + Fraction(1, 120) for index in range(FRAMES)], time_base=Fraction(1, 15360))
    scores = score_video(driver, tmp_path / "result.mp4", ("timing",), open_finder, bootstrap=0, shown=0)
    assert scores.methods["result"]["time_error_seconds"].value == pytest.approx(1 / 120)
    assert scores.methods["result"]["frames_missing"].value == 0


def test_short_videos_have_no_drift_and_say_so(tmp_path):
    write(tmp_path / "short.mp4", frames=5)
    scores = score_video(tmp_path / "short.mp4", tmp_path / "short.mp4", ("drift", "identity"), open_finder, bootstrap=0, shown=2)
    assert scores.not_available["drift_colour"] == "5 frames; drift needs 20" and "no face" in scores.not_available["identity"]
    assert scores.shown and scores.shown[0][1]["driver"].shape == scores.shown[0][1]["result"].shape


def test_bad_input_is_named(tmp_path, driver):
    write_test_sound(tmp_path / "sound.mp4")
    with pytest.raises(BadVideoError, match="sound.mp4"):
        score_video(driver, tmp_path / "sound.mp4", ("timing",), open_finder)
    with pytest.raises(ConfigError, match="a finished video has no lpips"):
        score_video(driver, driver, ("lpips",), open_finder)
