"""The same pictures make the same file every time, and threads do not change what is rendered."""

import ctypes
import hashlib
import os
from dataclasses import replace
from fractions import Fraction
from functools import cache

import numpy as np
import pytest
import torch
from people import SAMPLES, dancer_frames, write_dance, write_untrained_weights
from PIL import Image

from dancepipe.media.encoders import SAME_X264
from dancepipe.media.write import VideoWriter
from dancepipe.media.write_ffmpeg import FfmpegVideoWriter
from dancepipe.nn.blocks import instance_norm
from dancepipe.person.finder import open_person_finder
from dancepipe.records import Pose
from dancepipe.rendering.animate import animate
from dancepipe.rendering.options import AnimateOptions
from dancepipe.rendering.reference import read_reference
from dancepipe.rendering.render import Renderer
from dancepipe.systems.open import open_system
from dancepipe.systems.shipped import find_weights

M_PERTURB = -6  # glibc's mallopt: what is taken from memory is full of this number
ODD_RATE = Fraction(1, 30000)


@pytest.fixture
def litter(monkeypatch):
    """Call it with a number: whoever reads memory that nobody wrote finds another number there.

    Elsewhere than in glibc it does nothing, and what is the same only by luck may stay unseen.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", lambda name, value: None)

    def fill(number: int) -> None:
        value = 1 + number * 37 % 255
        mallopt(M_PERTURB, value)
        monkeypatch.setenv("MALLOC_PERTURB_", str(value))  # of programs that are started

    yield fill
    mallopt(M_PERTURB, 0)


@pytest.fixture
def threads():
    """Call it with the number of threads that torch shall use."""
    number = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(number)


@cache
def pictures(size_wh: tuple[int, int], count: int) -> list[np.ndarray]:
    """The sample's first frames, rolling sideways: movement at the edges makes x264 look there."""
    frames = [Image.fromarray(frame).resize(size_wh) for frame in dancer_frames()[:count]]
    return [np.roll(np.asarray(frame), 4 * index, 1) for index, frame in enumerate(frames)]


def digest(path, size_wh=(180, 320), writer=VideoWriter, count=40, **options) -> str:
    """SHA-256 of the file that the writer makes of `pictures`."""
    options = {"overwrite": True, **options}
    with writer(path, size_wh, ODD_RATE, **options) as out:
        for index, picture in enumerate(pictures(size_wh, count)):
            out.write(picture, index * 1001 * ODD_RATE)
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("size_wh", [(72, 128), (180, 320), (256, 256), (71, 129)])
def test_x264_makes_the_same_file_whatever_lay_in_memory(tmp_path, litter, size_wh):
    made = set()
    for run in range(6):
        litter(run)
        made.add(digest(tmp_path / "a.mp4", size_wh))
    assert len(made) == 1


@pytest.mark.parametrize(
    "codec, name",
    [
        ("libx264", "a.mov"),
        ("libx264", "a.mkv"),
        ("libx265", "a.mp4"),
        ("libsvtav1", "a.mp4"),
        ("libsvtav1", "a.webm"),
        ("libvpx-vp9", "a.webm"),
    ],
)
def test_every_encoder_and_container_is_the_same_twice(tmp_path, litter, codec, name):
    made = set()
    for run in range(3):
        litter(run)
        made.add(digest(tmp_path / name, codec=codec, crf=30, count=20))
    assert len(made) == 1


@pytest.mark.parametrize("codec, name", [("libx264", "a.mp4"), ("libvpx-vp9", "a.webm")])
def test_the_ffmpeg_program_makes_the_same_file_twice(tmp_path, litter, codec, name):
    pytest.importorskip("ffmpeg", reason="the extra ffmpeg is not installed")
    made = set()
    for run in range(3):
        litter(run)
        made.add(digest(tmp_path / name, writer=FfmpegVideoWriter, codec=codec, crf=30, count=20))
    assert len(made) == 1


@pytest.mark.parametrize("codec", ["libx264", "libx265", "libsvtav1", "libvpx-vp9"])
def test_one_core_makes_the_bytes_of_all_cores(tmp_path, codec):
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else {0}
    if len(cores) == 1:
        pytest.skip("this process may use one core only")
    on_all = digest(tmp_path / "a.mp4", codec=codec, crf=30, count=40)
    os.sched_setaffinity(0, {min(cores)})  # of this thread, and of those that it starts
    try:
        assert digest(tmp_path / "a.mp4", codec=codec, crf=30, count=40) == on_all
    finally:
        os.sched_setaffinity(0, cores)


def test_x264_makes_the_same_bytes_on_older_processors(tmp_path, monkeypatch):
    made, ours = set(), SAME_X264["x264-params"]
    for kind in ("", ":asm=0", ":asm=sse2", ":asm=avx2"):
        monkeypatch.setitem(SAME_X264, "x264-params", ours + kind)
        made.add(digest(tmp_path / "a.mp4", count=20))
    assert len(made) == 1


@pytest.fixture(scope="module")
def tiny_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "weights.safetensors"
    write_untrained_weights(path, size_hw=(64, 64))
    return path


def test_the_same_command_makes_the_same_file(tmp_path, tiny_weights, litter, threads):
    write_dance(tmp_path / "driver.mp4", frames=8, size_wh=(180, 320), audio=True)
    made = set()
    for run, number in enumerate((1, 1, 2)):
        litter(run)
        threads(number)
        options = replace(AnimateOptions(device="cpu"), overwrite=True)
        out = tmp_path / "out.mp4"
        animate(SAMPLES / "reference.png", tmp_path / "driver.mp4", out, tiny_weights, options)
        made.add(hashlib.sha256(out.read_bytes()).hexdigest())
    assert len(made) == 1


@cache
def reference(size_px: int):
    with open_person_finder(mode="photo", mask="mediapipe") as finder:
        return read_reference(SAMPLES / "reference.png", finder, size_px)


def rendered(weights, count: int, batch: int = 1) -> np.ndarray:
    """int (count, S, S, 4): pictures and mattes of poses around that of the photo."""
    system = open_system(weights, "cpu")
    size_px = system.info.size_hw[0]
    photo, random = reference(size_px), np.random.default_rng(0)
    moves = random.normal(0, 0.03 * size_px, (count, 18, 2))
    poses = [Pose(photo.pose.points_px + move, photo.pose.confidence) for move in moves]
    renderer = Renderer(system, [photo])
    parts = [renderer.render(poses[first : first + batch]) for first in range(0, count, batch)]
    made, mattes = (np.concatenate(part) for part in zip(*parts))
    return np.concatenate((made, mattes[..., None]), 3).astype(int)


@pytest.mark.parametrize("batch", [1, 4])
@pytest.mark.parametrize("stages", ["shipped, stage 1", "tiny, both stages"])
def test_one_two_and_four_threads_render_the_same_pictures(tiny_weights, threads, stages, batch):
    weights = find_weights(None) if stages.startswith("shipped") else tiny_weights
    threads(1)
    alone = rendered(weights, 4, batch)
    assert alone.std() > 10
    for number in (2, 4):
        threads(number)
        assert np.array_equal(rendered(weights, 4, batch), alone), f"{number} threads"


@pytest.mark.parametrize("number, batch", [(3, 1), (6, 1), (2, 4)])
def test_other_threads_and_batches_change_few_pixels_by_a_level(threads, number, batch):
    threads(1)
    alone = rendered(find_weights(None), 4)
    threads(number)
    off = np.abs(rendered(find_weights(None), 4, batch) - alone)
    # Transposed convolutions round otherwise; by it, a pixel between two limbs may change sides.
    assert (off > 0).mean() < 5e-4 and (off > 1).mean() < 2e-5


def test_the_normalisation_does_not_depend_on_the_number_of_threads(threads):
    random = torch.Generator().manual_seed(0)
    for shape in ((1, 8, 128, 128), (1, 64, 32, 32), (3, 12, 40, 56)):
        x = (torch.randn(shape, generator=random) + 2).contiguous(memory_format=torch.channels_last)
        weight, bias = torch.randn(2, shape[1], generator=random)
        threads(1)
        alone = instance_norm(x, weight, bias)
        for number in (2, 3, 4, 5, 7, 8):
            threads(number)
            assert torch.equal(instance_norm(x, weight, bias), alone), f"{number} threads, {shape}"
