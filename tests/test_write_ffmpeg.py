"""What only the ffmpeg program's writer decides; tests/test_write.py runs on both writers."""

import os
import stat
import sys
from fractions import Fraction

import pytest
from drawn import draw_picture

from dancepipe.errors import MissingExtraError, OutputError
from dancepipe.media import ffmpeg_program
from dancepipe.media.probe import probe_video
from dancepipe.media.write_ffmpeg import FfmpegVideoWriter


def make_program(path, script):
    path.write_text("#!/bin/sh\n" + script)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def write_ten(path, **options):
    with FfmpegVideoWriter(path, (96, 64), Fraction(1, 30), **options) as out:
        for k in range(10):
            out.write(draw_picture(k, (96, 64)), Fraction(k, 30))


def test_the_program_is_looked_up_in_order(tmp_path, monkeypatch):
    named, on_path = (
        make_program(tmp_path / "mine", "exit 0"),
        make_program(tmp_path / "ffmpeg", "exit 0"),
    )
    monkeypatch.setenv("DANCEPIPE_FFMPEG", str(named))
    monkeypatch.setenv("PATH", str(tmp_path))
    assert ffmpeg_program.find_ffmpeg() == str(named)
    monkeypatch.delenv("DANCEPIPE_FFMPEG")
    assert ffmpeg_program.find_ffmpeg() == str(on_path)
    on_path.unlink()
    imageio_ffmpeg = pytest.importorskip(
        "imageio_ffmpeg", reason="the extra ffmpeg is not installed"
    )
    assert ffmpeg_program.find_ffmpeg() == imageio_ffmpeg.get_ffmpeg_exe()
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    assert ffmpeg_program.find_ffmpeg() is None


def test_a_wished_program_that_is_none_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("DANCEPIPE_FFMPEG", str(tmp_path / "nothing"))
    with pytest.raises(OutputError, match="DANCEPIPE_FFMPEG is .*nothing.*not a program"):
        ffmpeg_program.find_ffmpeg()


def test_without_the_package_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "ffmpeg", None)
    with pytest.raises(MissingExtraError, match=r"dancepipe\[ffmpeg\]"):
        write_ten(tmp_path / "a.mp4")


def test_without_a_program_the_error_says_where_to_get_one(tmp_path, monkeypatch):
    pytest.importorskip("ffmpeg", reason="the extra ffmpeg is not installed")
    monkeypatch.delenv("DANCEPIPE_FFMPEG", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    with pytest.raises(OutputError, match="no ffmpeg program found; install ffmpeg"):
        write_ten(tmp_path / "a.mp4")


def test_a_program_that_dies_midway_is_an_error_in_its_own_words(tmp_path, monkeypatch):
    pytest.importorskip("ffmpeg", reason="the extra ffmpeg is not installed")
    # It passes the trial of the encoder (null output) and dies at the real work.
    program = make_program(
        tmp_path / "dying",
        'case "$*" in *null*) exit 0;; esac\necho "the moon is in the way" >&2\nexit 3\n',
    )
    monkeypatch.setenv("DANCEPIPE_FFMPEG", str(program))
    (tmp_path / "a.mp4").write_bytes(b"an older result")
    with pytest.raises(OutputError, match="dying failed: the moon is in the way"):
        write_ten(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").read_bytes() == b"an older result" and not (
        tmp_path / "a.mp4.part"
    ).exists()


def test_a_program_that_writes_nothing_but_succeeds_is_not_believed(tmp_path, monkeypatch):
    pytest.importorskip("ffmpeg", reason="the extra ffmpeg is not installed")
    monkeypatch.setenv(
        "DANCEPIPE_FFMPEG", str(make_program(tmp_path / "lazy", "cat > /dev/null\nexit 0\n"))
    )
    with pytest.raises(OutputError, match="cannot be read back"):
        write_ten(tmp_path / "a.mp4")
    assert sorted(os.listdir(tmp_path)) == ["lazy"]


def test_names_are_never_seen_by_a_shell(tmp_path):
    pytest.importorskip("ffmpeg", reason="the extra ffmpeg is not installed")
    name = "a; touch hacked $(touch hacked) 'x' %d -y.mp4"
    write_ten(tmp_path / name, metadata={"comment": "'; touch hacked #"})
    assert os.listdir(tmp_path) == [name] and probe_video(tmp_path / name).declared_frames == 10


def test_an_encoder_that_only_ffmpeg_knows_runs_with_its_own_defaults(tmp_path, said):
    pytest.importorskip("ffmpeg", reason="the extra ffmpeg is not installed")
    said.clear()
    write_ten(tmp_path / "a.mp4", codec="mpeg4")
    assert probe_video(tmp_path / "a.mp4").codec == "mpeg4" and any(
        "defaults" in words for words in said
    )
    with pytest.raises(OutputError, match="divx does not work with .*usable here: .*libx264"):
        write_ten(tmp_path / "b.mp4", codec="divx")
