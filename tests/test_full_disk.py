"""The disk fills up at any moment: one line, nothing half-written, and the same command ends as
ever."""

import os
from pathlib import Path

import numpy as np
import pytest
import warm
from small_disk import fill, pages_in, small_disk
from test_at_the_same_time import animate, build, evaluate, inputs, train
from test_train import logged, same_weights

from dancepipe.data.store import clip_files, read_clip

assert inputs  # the fixture
POINTS = int(os.environ.get("DANCEPIPE_DISK_POINTS", 6))  # moments at which the disk is full


def same_file(name: str):
    def same(one: Path, other: Path) -> bool:
        return (one / name).read_bytes() == (other / name).read_bytes()

    return same


def same_run(one: Path, other: Path) -> bool:
    return same_weights(one / "run", other / "run") and logged(one / "run") == logged(other / "run")


def same_clips(one: Path, other: Path) -> bool:
    clips = [clip_files(folder / "data") for folder in (one, other)]
    rows = [
        [(row.frame_index, row.image, row.source) for row in read_clip(clip)] for (clip,) in clips
    ]
    return all(
        first[0] == second[0] and np.array_equal(first[1], second[1]) and first[2] == second[2]
        for first, second in zip(*rows, strict=True)
    )


COMMANDS = {
    "animate": (animate, same_file("made.mp4")),
    "train": (lambda *given: [*train(*given), "--resume"], same_run),
    "build-dataset": (build, same_clips),
    "evaluate": (evaluate, same_file("scores.json")),
}


@pytest.mark.parametrize("name", COMMANDS)
def test_a_full_disk_costs_nothing_but_the_time_to_make_room(inputs, tmp_path, name):
    command, same = COMMANDS[name]
    plain = tmp_path / "plain"
    plain.mkdir()
    assert warm.run(command(inputs, plain, 0), tmp_path / "said.txt").code == 0
    needed = pages_in(plain)
    refused = 0
    for point in range(POINTS):
        free_pages = point if point < 2 else round(needed * (point - 1) / POINTS)
        with small_disk(tmp_path / f"disk{point}") as disk:
            out = disk / "out"
            out.mkdir()
            filler = fill(disk, free_pages)
            ended = warm.run(command(inputs, out, 0), tmp_path / "said.txt")
            refused += ended.code == 2
            if ended.code:
                assert ended.code == 2 and len(ended.errors) == 1, ended.said
                assert "Traceback" not in ended.said and "space" in ended.errors[0], ended.said
            assert not list(out.rglob("*.part")) and not list(out.rglob("*.lock"))
            filler.unlink()
            again = warm.run(command(inputs, out, 0), tmp_path / "said.txt")
            if ended.code:
                assert again.code == 0, again.said
            assert same(plain, out)
    assert refused > POINTS // 2
