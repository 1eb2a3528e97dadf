"""Results are whole or absent, and what belongs to the user is never touched on the way."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from dancepipe.errors import OutputError
from dancepipe.files.whole_file import (
    WholeFile,
    check_result,
    make_folder,
    remove_leftovers,
    whole_folder,
    write_text,
    write_together,
)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def hold_a_part(folder: Path, kind: str) -> subprocess.Popen:
    """A process that is in the middle of writing into the folder."""
    code = {
        "file": f"file = WholeFile({str(folder / 'x.bin')!r}, overwrite=False); part = file.part",
        "folder": f"block = whole_folder(Path({str(folder / 'x')!r})); part = block.__enter__()",
    }[kind]
    head = "import time; from pathlib import Path; from dancepipe.files.whole_file import *; "
    process = subprocess.Popen(
        [sys.executable, "-c", head + code + "; print(part, flush=True); time.sleep(60)"],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert Path(process.stdout.readline().strip()).exists()
    return process


@pytest.mark.parametrize("suffix", [".part", ".tmp", ".temp", "~", ".lock"])
def test_no_neighbour_is_ever_taken_for_a_temporary_file(tmp_path, suffix):
    mine = ["out.mp4" + suffix, ".out.mp4" + suffix, ".dancepipe-00000000" + suffix, "out" + suffix]
    for name in mine:
        (tmp_path / name).write_text("mine")
    write_together({tmp_path / "out.mp4": "made"}, overwrite=False)
    remove_leftovers(tmp_path)
    assert names(tmp_path) == sorted([*mine, "out.mp4"])
    assert all((tmp_path / name).read_text() == "mine" for name in mine)


def test_a_name_as_long_as_the_system_takes(tmp_path):
    name = "d" * 251 + ".mp4"
    write_together({tmp_path / name: b"made"}, overwrite=False)
    assert names(tmp_path) == [name] and (tmp_path / name).read_bytes() == b"made"


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_what_a_killed_process_left_is_removed_and_what_a_living_one_holds_stays(tmp_path, kind):
    killed, living = hold_a_part(tmp_path, kind), hold_a_part(tmp_path, kind)
    assert len(names(tmp_path)) == 2
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    remove_leftovers(tmp_path)
    try:
        assert len(names(tmp_path)) == 1
    finally:
        living.kill()
        living.wait()
    remove_leftovers(tmp_path)
    assert names(tmp_path) == []


def test_leftovers_go_when_somebody_writes_there_again(tmp_path):
    process = hold_a_part(tmp_path, "file")
    process.kill()
    process.wait()
    write_text(tmp_path / "other.txt", "made")
    assert names(tmp_path) == ["other.txt"]


def test_an_existing_file_stays_unless_it_may_be_replaced(tmp_path):
    (tmp_path / "out.txt").write_text("older")
    with pytest.raises(
        OutputError, match="is there already; choose another name, or .*--overwrite"
    ):
        check_result(tmp_path / "out.txt", overwrite=False, inputs=())
    check_result(tmp_path / "out.txt", overwrite=True, inputs=())
    write_text(tmp_path / "out.txt", "newer")
    assert (tmp_path / "out.txt").read_text() == "newer" and names(tmp_path) == ["out.txt"]


def test_a_file_that_came_to_be_there_meanwhile_stays_and_the_result_lies_beside_it(tmp_path):
    with pytest.raises(OutputError, match="the result is whole and lies at .*out-2.txt"):
        with WholeFile(tmp_path / "out.txt", overwrite=False) as file:
            file.part.write_text("made")
            (tmp_path / "out.txt").write_text("somebody's")
    assert (tmp_path / "out.txt").read_text() == "somebody's"
    assert (tmp_path / "out-2.txt").read_text() == "made"
    assert names(tmp_path) == ["out-2.txt", "out.txt"]


def test_an_exception_leaves_what_was_there(tmp_path):
    (tmp_path / "out.txt").write_text("older")
    with pytest.raises(KeyboardInterrupt), WholeFile(tmp_path / "out.txt", overwrite=True) as file:
        file.part.write_text("half")
        raise KeyboardInterrupt
    (tmp_path / "checkpoint").mkdir()
    (tmp_path / "checkpoint" / "state").write_text("older")
    with pytest.raises(KeyboardInterrupt), whole_folder(tmp_path / "checkpoint") as part:
        (part / "state").write_text("half")
        raise KeyboardInterrupt
    assert (tmp_path / "out.txt").read_text() == "older"
    assert (tmp_path / "checkpoint" / "state").read_text() == "older"
    assert names(tmp_path) == ["checkpoint", "out.txt"]


def test_files_that_belong_together_appear_together_or_not_at_all(tmp_path):
    (tmp_path / "in-the-way").mkdir()
    with pytest.raises(OutputError, match="it is a folder"):
        both = {tmp_path / "report.html": "new", tmp_path / "in-the-way": "new"}
        write_together(both, overwrite=True)
    assert names(tmp_path) == ["in-the-way"]
    both = {tmp_path / "report.html": "new", tmp_path / "scores.json": b"new"}
    write_together(both, overwrite=False)
    assert (tmp_path / "report.html").read_text() == (tmp_path / "scores.json").read_text() == "new"


def test_inputs_are_never_replaced_whatever_they_are_called(tmp_path):
    (tmp_path / "photo.png").write_text("mine")
    (tmp_path / "link.png").symlink_to(tmp_path / "photo.png")
    os.link(tmp_path / "photo.png", tmp_path / "hard.png")
    for name in ("photo.png", "link.png", "hard.png"):
        with pytest.raises(OutputError, match="would replace an input"):
            check_result(
                tmp_path / name, overwrite=True, inputs=[None, "no-file", tmp_path / "photo.png"]
            )


def test_places_that_cannot_be_written_are_told_before_long_work(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for place, message in (
        (tmp_path, "it is a folder"),
        (tmp_path / "nowhere" / "x", "there is no folder"),
        (tmp_path / "pipe", "no plain file"),
        (tmp_path / ("x" * 300), "File name too long"),
    ):
        with pytest.raises(OutputError, match=message):
            check_result(place, overwrite=True, inputs=())


def test_a_link_is_followed(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "out.txt").symlink_to(tmp_path / "disk" / "real.txt")
    write_together({tmp_path / "out.txt": "made"}, overwrite=False)
    assert (tmp_path / "out.txt").is_symlink()
    assert (tmp_path / "disk" / "real.txt").read_text() == "made"


def test_results_keep_the_umask_and_caches_are_private(tmp_path):
    before = os.umask(0o027)
    try:
        write_text(tmp_path / "result.txt", "x")
        make_folder(tmp_path / "caches" / "cache", private=True)
        with WholeFile(tmp_path / "caches" / "cache" / "x", overwrite=True, private=True) as file:
            file.part.write_text("x")
    finally:
        os.umask(before)
    assert (tmp_path / "result.txt").stat().st_mode & 0o777 == 0o640
    for folder in (tmp_path / "caches", tmp_path / "caches" / "cache"):
        assert folder.stat().st_mode & 0o777 == 0o700
    assert (tmp_path / "caches" / "cache" / "x").stat().st_mode & 0o777 == 0o600


def test_many_writers_of_one_folder_take_nothing_from_each_other(tmp_path):
    code = (
        "import sys; from dancepipe.files.whole_file import *\n"
        "for n in range(150):\n"
        f"    remove_leftovers({str(tmp_path)!r})\n"
        f"    write_text({str(tmp_path)!r} + f'/{{sys.argv[1]}}-{{n}}.txt', str(n))\n"
    )
    writers = [subprocess.Popen([sys.executable, "-c", code, str(k)]) for k in range(4)]
    assert [writer.wait(60) for writer in writers] == [0] * 4
    assert len(names(tmp_path)) == 600
    for path in tmp_path.iterdir():
        assert path.read_text() == path.stem.split("-")[1]
