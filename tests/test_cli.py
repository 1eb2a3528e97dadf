"""The command line: exit codes, one-line errors, and doctor's report."""

import subprocess
import sys

import pytest
from people import write_untrained_weights

from dancepipe.cli import main
from dancepipe.doctor import doctor


@pytest.mark.parametrize(
    "line, message",
    [
        (
            ["train", "--data", "nowhere", "--out", "x", "--config", "none.yaml"],
            "no configuration file at none.yaml",
        ),
        (
            ["train", "--data", "nowhere", "--out", "x", "--preset", "huge"],
            "option 'preset' must be one of paper, market, base, live, tiny, got 'huge'",
        ),
        (
            ["train", "--data", "nowhere", "--out", "x", "--batch", "0"],
            "option 'batch' must be at least 1",
        ),
        (
            ["train", "--data", "nowhere", "--out", "x", "--preset", "tiny"],
            "no data set at nowhere",
        ),
        (
            [
                "animate",
                "--ref",
                "r.png",
                "--driver",
                "d.mp4",
                "--out",
                "o.mp4",
                "--weights",
                "live-257",
            ],
            "cannot read video d.mp4: no such file",
        ),
        (
            ["dancers", "--out", "{tmp}", "--size", "16"],
            "option 'size_px' must be at least 32, got 16",
        ),
        (
            ["build-dataset", "x.mp4", "--out", "{tmp}", "--shard-index", "2"],
            "shard_index 2 must be below num_shards 1",
        ),
    ],
)
def test_user_errors_are_one_line_and_code_2(line, message, tmp_path, capsys):
    assert main([part.format(tmp=tmp_path) for part in line]) == 2
    said = capsys.readouterr().err.strip()
    assert said.startswith("dancepipe: ") and message in said and "\n" not in said


def test_abbreviated_flags_are_not_guessed():
    with pytest.raises(SystemExit) as stop:
        main(["train", "--dat", "d", "--out", "o"])
    assert stop.value.code == 2


def test_a_shard_without_work_is_no_failure(tmp_path, capsys):
    (tmp_path / "a.txt").write_text("x.mp4\n")
    codes = [
        main(
            [
                "build-dataset",
                str(tmp_path / "a.txt"),
                "--out",
                str(tmp_path / "data"),
                "--num-shards",
                "2",
                "--shard-index",
                str(index),
            ]
        )
        for index in (0, 1)
    ]
    assert codes == [2, 0]


def test_an_unknown_yaml_key_stops_and_suggests(tmp_path, capsys):
    (tmp_path / "typo.yaml").write_text("lerning_rate: 0.1\n")
    assert (
        main(["train", "--data", "d", "--out", "o", "--config", str(tmp_path / "typo.yaml")]) == 2
    )
    assert "unknown option 'lerning_rate'; did you mean 'learning_rate'?" in capsys.readouterr().err


def test_all_sources_failing_is_a_failure(tmp_path, capsys):
    assert main(["build-dataset", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "data")]) == 2
    assert "1 of 1 sources failed, see" in capsys.readouterr().out


def test_wrong_usage_and_version():
    wrong = subprocess.run(
        [sys.executable, "-m", "dancepipe", "animate", "--rof", "x"], capture_output=True, text=True
    )
    assert wrong.returncode == 2 and "--ref" in wrong.stderr
    version = subprocess.run(
        [sys.executable, "-m", "dancepipe", "--version"], capture_output=True, text=True
    )
    assert version.returncode == 0 and version.stdout.startswith("dancepipe 0.")


def test_a_bug_keeps_its_traceback(monkeypatch):
    import dancepipe.doctor

    def broken(weights):
        raise RuntimeError("a bug")

    monkeypatch.setattr(dancepipe.doctor, "doctor", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        main(["doctor"])


def test_doctor_reports_packages_devices_backends_and_weights(tmp_path):
    write_untrained_weights(tmp_path / "weights.safetensors")
    report = doctor(tmp_path / "weights.safetensors")
    for part in (
        "torch ",
        "mediapipe works",
        "libx264",
        "cpu ",
        "preset tiny, 32 x 32, stage 1 and 2",
        "yolo",
        "person_reid_youtu_2021nov.onnx, 107 MB, Apache-2.0",
    ):
        assert part in report
    assert "no weights at" in doctor(tmp_path / "none.safetensors")
