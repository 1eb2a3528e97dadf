"""A stretch of the driver: exactly its frames, its times and its sound."""

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from drawn import read_index, write_test_video
from people import SAMPLES, write_dance, write_untrained_weights

import dancepipe
from dancepipe.cli.command_line import main
from dancepipe.errors import BadVideoError, ConfigError, MotionError, NoPersonError
from dancepipe.many.jobs import read_jobs
from dancepipe.media.audio_track import AudioTrack
from dancepipe.media.probe import probe_video
from dancepipe.media.read import VideoReader, read_spread_frames
from dancepipe.media.stretch import WHOLE, Span, Stretch, seconds_of
from dancepipe.rendering.cut import Cut
from dancepipe.rendering.options import AnimateOptions

SIZE_WH = (96, 72)
RATE_HZ = 48000


@pytest.mark.parametrize(
    "text, seconds",
    [("90", 90), ("90.5", 90.5), (".5s", 0.5), ("1:30", 90), ("01:02:03.25", 3723.25), ("0", 0)],
)
def test_a_time_is_written_as_elsewhere(text, seconds):
    assert seconds_of(text) == seconds


@pytest.mark.parametrize("text", ["", "x", "-1", "1:60", "1:90:00", "1:", "1e3", "1:2:3:4"])
def test_what_is_no_time_is_none(text):
    with pytest.raises(ValueError):
        seconds_of(text)


INTERLACED = {"options": {"flags": "+ildct+ilme", "x264-params": "tff=1"}}
LATE = {"container_options": {"output_ts_offset": "35000"}}
FILES = {  # name, how it is written
    "mp4": ("a.mp4", {"options": {"g": "7", "bf": "2"}}),
    "long gop": ("a.mkv", {"options": {"g": "60"}}),
    "open gop": ("a.mp4", {"options": {"g": "8", "x264-params": "open-gop=1"}}),
    "ts": ("a.ts", LATE),
    "late": ("a.mkv", LATE),
    "avi": ("a.avi", {"codec": "mpeg4"}),
    "bare": ("a.h264", {"codec": "libx264"}),
    "gif": ("a.gif", {"codec": "gif", "pixel_format": "rgb8"}),
    "interlaced": ("a.mp4", INTERLACED),
}
STRETCHES = [  # start, duration, its frames at 25 a second
    (1, None, range(25, 60)), (1.2, 0.4, range(30, 40)), (0, 0.5, range(0, 13)),
    (2.38, 5, [])  # nothing is left behind the last frame
]  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
def test_a_stretch_holds_the_frames_of_its_time(tmp_path, kind):
    name, settings = FILES[kind]
    has_sound = name[-3:] in ("mp4", "mkv", ".ts")
    path = tmp_path / name
    write_test_video(path, 60, 25, SIZE_WH, audio=has_sound, **settings)
    with VideoReader(path) as video:
        whole = list(video)
    for start, duration, indices in STRETCHES:
        stretch = Stretch.of(start, duration)
        own = [f for f in whole if f.time_seconds >= stretch.begin_seconds]
        if duration is not None:
            own = [f for f in own if f.time_seconds < stretch.end_seconds]
        if not whole[0].time_seconds:
            assert [frame.index for frame in own] == list(indices)
        with VideoReader(path, stretch=stretch) as video:
            if not own:
                with pytest.raises(BadVideoError, match="shows no frame from 2.38 s to 7.38 s"):
                    list(video)
                continue
            frames = list(video)
        assert [frame.index for frame in frames] == list(range(len(own)))
        first = own[0].time_seconds if start else 0
        assert [f.time_seconds for f in frames] == [f.time_seconds - first for f in own]
        for frame, same in zip(frames, own, strict=True):
            assert np.array_equal(frame.image, same.image)
        assert (video.frames_read, video.corrupt_frames) == (len(own), 0)
        assert video.shortfall_seconds == 0
        assert probe_video(path, stretch).declared_frames == len(own)
        for count in (3, 100):
            for frame in read_spread_frames(path, count, stretch=stretch):
                assert np.array_equal(frame.image, own[frame.index].image)
                assert frame.time_seconds == own[frame.index].time_seconds - first


def test_a_stretch_of_a_long_video_is_found_by_its_keyframes(tmp_path):
    """Not by decoding all that comes before; survey frames lie in it, too."""
    path = tmp_path / "long.mp4"
    write_test_video(path, 256, 25, SIZE_WH, options={"g": "25"})
    stretch = Stretch.of(8, 2)
    with VideoReader(path, stretch=stretch) as video:
        decoded = list(video._timed())
    assert 0 < len(decoded) < 100
    spread = read_spread_frames(path, 2, stretch=stretch)
    assert [200 + frame.index for frame in spread] == [read_index(frame.image) for frame in spread]


def test_what_is_cut_off_in_a_stretch_is_told(tmp_path):
    whole, cut = tmp_path / "a.mkv", tmp_path / "b.mkv"
    write_test_video(whole, 60, 25, SIZE_WH, options={"g": "5"})
    data = whole.read_bytes()
    cut.write_bytes(data[: len(data) * 2 // 3])
    for stretch, is_short in ((Stretch.of(0.2, 0.6), False), (Stretch.of(0.2, 2), True)):
        with VideoReader(cut, stretch=stretch) as video:
            frames = list(video)
        missing = 2.2 - float(frames[-1].time_seconds + Fraction(1, 25)) - 0.2
        assert float(video.shortfall_seconds) == pytest.approx(missing if is_short else 0, abs=0.01)


# --- sound


def sweep(seconds: float) -> np.ndarray:
    """A tone that rises: each moment sounds different."""
    times = np.arange(int(seconds * RATE_HZ)) / RATE_HZ
    return (0.3 * np.sin(2 * np.pi * (200 * times + 150 * times**2))).astype(np.float32)


def write_sound(path: Path, codec: str, seconds: float) -> None:
    with av.open(str(path), "w") as output:
        picture = output.add_stream("libx264", rate=25)
        picture.width, picture.height = SIZE_WH
        stream = output.add_stream(codec, rate=RATE_HZ)
        stream.layout = "mono"
        for index in range(int(25 * seconds)):
            image = np.full((SIZE_WH[1], SIZE_WH[0], 3), index % 256, np.uint8)
            output.mux(picture.encode(av.VideoFrame.from_ndarray(image, "rgb24")))
        output.mux(picture.encode(None))
        resampler = av.AudioResampler(stream.format, "mono", RATE_HZ)
        frame = av.AudioFrame.from_ndarray(sweep(seconds)[None], "fltp", "mono")
        frame.sample_rate, frame.pts = RATE_HZ, 0
        for item in (*resampler.resample(frame), None):
            output.mux(stream.encode(item))


def heard(path: Path) -> np.ndarray:
    """As a player plays it: from 0 on, silence where nothing is."""
    sound = np.zeros(0, np.float32)
    with av.open(str(path)) as container:
        resampler = av.AudioResampler("fltp", "mono", RATE_HZ)
        for frame in container.decode(audio=0):
            at = round(frame.pts * frame.time_base * RATE_HZ)
            for piece in resampler.resample(frame):
                samples = piece.to_ndarray()[0]
                end = at + len(samples)
                sound = np.pad(sound, (0, max(0, end - len(sound))))
                if end > 0:
                    sound[max(at, 0) : end] = samples[max(0, -at) :]
    return sound


def off_samples(sound: np.ndarray, wanted: np.ndarray) -> int:
    """By how many samples the one lies behind the other, at most 2000."""
    count = min(len(sound), len(wanted)) - 4000
    scores = [
        float(sound[2000 + shift :][:count] @ wanted[2000:][:count]) for shift in range(-2000, 2001)
    ]
    return int(np.argmax(scores)) - 2000


@pytest.mark.parametrize(
    "driver, codec, result, most_off",
    [
        ("d.mp4", "aac", "a.mp4", 1),
        ("d.mkv", "aac", "a.mkv", 96),  # milliseconds
        ("d.mov", "pcm_s16le", "a.mov", 1),
        ("d.mp4", "libmp3lame", "a.mp4", 1),
        ("d.mp4", "aac", "a.webm", 400),  # the encoder's own delay
        ("d.mov", "pcm_s16le", "a.mp4", 1),
    ],
)
@pytest.mark.parametrize(
    "spans",
    [
        [(None, Fraction(1))],
        [(Fraction(53, 100), Fraction(2))],
        [(None, Fraction(2, 5)), (Fraction(4, 5), Fraction(6, 5)), (Fraction(8, 5), None)],
    ],
)
def test_the_sound_of_spans_is_cut_out_and_joined(tmp_path, driver, codec, result, most_off, spans):
    write_sound(tmp_path / driver, codec, 2.4)
    track = AudioTrack(
        tmp_path / driver,
        {"mp4": "mp4", "mkv": "matroska", "mov": "mov", "ebm": "webm"}[result[-3:]],
        [Span(*span) for span in spans],
    )
    with av.open(str(tmp_path / result), "w", options={"avoid_negative_ts": "disabled"}) as output:
        track.add_to(output)
        track.feed(Fraction(1, 10))
        track.feed(None)
        track.close()
    whole = heard(tmp_path / driver)
    cut = [
        whole[round((begin or 0) * RATE_HZ) : None if end is None else round(end * RATE_HZ)]
        for begin, end in spans
    ]
    sound, at = heard(tmp_path / result), 0
    for piece in cut:
        got = sound[at : at + len(piece)]
        assert abs(off_samples(got, piece)) <= most_off
        at += len(piece)
    assert abs(len(sound) - at) < 0.06 * RATE_HZ  # a packet


# --- the whole run


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    write_dance(folder / "driver.mp4", frames=28, audio=True)
    write_untrained_weights(folder / "w.safetensors")
    return folder


def run(inputs: Path, out: Path, **options):
    settings = {"device": "cpu", "start": 0.3, "duration": "0:00.4", **options}
    return dancepipe.animate(
        SAMPLES / "reference.png", inputs / "driver.mp4", out, inputs / "w.safetensors", **settings
    )


OWN = range(9, 21)  # at 30 frames a second from 0.3 s for 0.4 s


def test_the_result_has_the_frames_times_and_sound_of_the_stretch(inputs, tmp_path):
    summary = run(inputs, tmp_path / "a.mp4", side_by_side=True, background="driver")
    assert (summary.frames_in, summary.frames_out) == (len(OWN), len(OWN))
    assert summary.shortfall_seconds == 0 and summary.audio_kept
    with VideoReader(inputs / "driver.mp4") as video:
        driver = [frame for frame in video if frame.index in OWN]
    with VideoReader(tmp_path / "a.mp4") as video:
        made = list(video)
    assert [f.time_seconds for f in made] == [Fraction(n, 30) for n in range(len(OWN))]
    for frame, own in zip(made, driver, strict=True):
        half = frame.image[:, : own.image.shape[1]].astype(float)
        assert np.abs(half - own.image).mean() < 4
    whole, sound = heard(inputs / "driver.mp4"), heard(tmp_path / "a.mp4")
    wanted = whole[round(0.3 * RATE_HZ) : round(0.7 * RATE_HZ)]
    assert abs(len(sound) - len(wanted)) < 0.03 * RATE_HZ
    assert np.abs(sound[:15000] - wanted[:15000]).max() < 0.01


def test_a_motion_of_the_whole_gives_its_part_and_one_of_a_part_no_more(inputs, tmp_path, said):
    driver = inputs / "driver.mp4"
    dancepipe.motion(driver, tmp_path / "whole.motion", device="cpu")
    dancepipe.motion(driver, tmp_path / "part.motion", device="cpu", start="0.2", duration=0.6)
    made = {}
    for name in ("whole", "part"):
        motion = str(tmp_path / f"{name}.motion")
        summary = run(inputs, tmp_path / f"{name}.mp4", motion=motion, part_frames=5)
        assert summary.frames_out == len(OWN)
        with VideoReader(tmp_path / f"{name}.mp4") as video:
            made[name] = [frame.time_seconds for frame in video]
    assert made["whole"] == made["part"] == [Fraction(n, 30) for n in range(len(OWN))]
    part = str(tmp_path / "part.motion")
    with pytest.raises(MotionError, match="is the motion of 0.2 s to 0.8 s of driver.mp4, and 0.1"):
        run(inputs, tmp_path / "c.mp4", motion=part, start=0.1)
    said.clear()
    taken = run(inputs, tmp_path / "c.mp4", motion=part, start=0, duration=None)
    assert taken.frames_out == 18
    assert any("it is the motion of 0.2 s to 0.8 s" in line for line in said)


@pytest.mark.parametrize(
    "options, error, message",
    [
        ({"start": 20}, BadVideoError, "no frame from 20 s to 20.4 s, its last one comes at 0.90"),
        ({"duration": 0}, ConfigError, "duration must be more than 0"),
        ({"start": "soon"}, ConfigError, r"needs seconds \(90, 90.5\) or a time .1:30, .*'soon'"),
        ({"start": -1}, ConfigError, "at least 0"),
        ({"person": "left@0.1"}, NoPersonError, "named at 0.1 s .* only 0.3 s to 0.7 s"),
        ({"person": "left@0.8"}, NoPersonError, "named at 0.8 s .* only 0.3 s to 0.7 s"),
    ],
)
def test_what_does_not_fit_is_one_line(inputs, tmp_path, options, error, message):
    with pytest.raises(error, match=message) as raised:
        run(inputs, tmp_path / "a.mp4", **options)
    assert "\n" not in str(raised.value)
    assert not list(tmp_path.iterdir())


def test_lists_previews_and_the_command_line_know_the_stretch(inputs, tmp_path, capsys):
    jobs = tmp_path / "jobs.csv"
    driver, photo = inputs / "driver.mp4", SAMPLES / "reference.png"
    jobs.write_text(f"ref,driver,out,start,duration\n{photo},{driver},a.mp4,0:00.3,0.4\n")
    (job,) = read_jobs(jobs, tmp_path, vars(AnimateOptions()))
    assert AnimateOptions(**job.options).stretch() == Stretch(Fraction(3, 10), Fraction(7, 10))
    shown = dancepipe.preview(photo, driver, tmp_path / "who.png", start=0.3, duration=0.4)
    assert shown.seconds == pytest.approx(0.3, abs=0.01)
    command = ["animate", photo, driver, "-o", tmp_path / "b.mp4", "--start", "1:99"]
    assert main([str(word) for word in command]) == 2
    assert "option 'start' needs minutes and seconds below 60" in capsys.readouterr().err


def test_a_stretch_lies_in_another():
    assert WHOLE.covers(Stretch.of(1, 2)) and not Stretch.of(1, 2).covers(WHOLE)
    assert Stretch.of(1, 2).covers(Stretch.of(1.5, 1.5))
    assert not Stretch.of(1, 2).covers(Stretch.of(1.5, 1.6))


# --- frames without the dancer are left out


EMPTY = (0, 1, 2, 11, 12, 13, 14, 26, 27)


@pytest.fixture(scope="module")
def gaps(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("gaps")
    write_dance(folder / "driver.mp4", frames=28, audio=True, empty=EMPTY)
    write_untrained_weights(folder / "w.safetensors")
    return folder


@pytest.mark.parametrize("name, part_frames", [("a.mp4", 4), ("a.webm", 120), ("a", 120)])
def test_frames_without_the_dancer_are_left_out(gaps, tmp_path, name, part_frames):
    """Also where a whole part goes, and where pictures are joined."""
    settings = {"start": 0, "duration": None, "absent": "cut", "part_frames": part_frames}
    summary = run(gaps, tmp_path / name, side_by_side=True, **settings)
    gone = 28 - summary.frames_out
    assert summary.frames_in == 28 and len(EMPTY) - 2 <= gone <= len(EMPTY)
    assert summary.frames_held == gone
    assert f"{gone} frames without the dancer were left out" in summary.text()
    if name == "a":
        assert len(list((tmp_path / name).glob("*.png"))) == summary.frames_out
        return
    with VideoReader(tmp_path / name) as video:
        made = list(video)
    near = Fraction(1, 1000 if name == "a.webm" else 10**6)
    for number, frame in enumerate(made):
        assert abs(frame.time_seconds - Fraction(number, 30)) <= near
        wide = frame.image.shape[1] // 2
        assert frame.image[:, :wide].std() > 10  # no empty frame of the driver
    assert abs(len(heard(tmp_path / name)) / RATE_HZ - summary.frames_out / 30) < 0.07
    if name == "a.mp4":
        with av.open(str(tmp_path / name)) as container:
            packets = [packet for packet in container.demux(video=0) if packet.size]
        decoded = [packet.dts for packet in packets]
        assert decoded == sorted(set(decoded)) and all(p.dts <= p.pts for p in packets)


def test_a_cut_moves_what_is_left_together():
    times = [Fraction(number, 10) + Fraction(1, 2) for number in range(10)]
    whole = Cut(times, set(times))
    assert whole.moved(times[3]) == times[3] and whole.sound(Span()) == (Span(),)
    cut = Cut(times, {times[number] for number in (0, 1, 4, 5, 9)})
    assert [cut.moved(times[n]) for n in (0, 1, 4, 5, 9)] == times[:5]
    assert cut.sound(Span()) == (
        Span(None, times[2]), Span(times[4], times[6]), Span(times[9], None),
    )  # fmt: skip
    late = Cut(times, {times[4], times[5]})
    assert [late.moved(times[n]) for n in (4, 5)] == [0, Fraction(1, 10)]
    own = Span(Fraction(3), Fraction(9))
    assert late.sound(own) == (Span(3 + times[4], 3 + times[6]),)
