"""The command line: flags and places, exit codes, one-line errors, configurations, and doctor's
report."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from people import SAMPLES, write_dance, write_untrained_weights

from dancepipe.cli import main
from dancepipe.config import find_config
from dancepipe.doctor import doctor
from dancepipe.errors import ConfigError


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
    shown = capsys.readouterr()
    (error,) = [line for line in shown.err.splitlines() if line.startswith("dancepipe: ")]
    assert message in error and shown.err.endswith(error + "\n") and not shown.out


@pytest.mark.parametrize(
    "line, words",
    [
        (["animate", "--bacground", "black"], "unknown option --bacground; did you mean --back"),
        (["train", "--dat", "d", "--out", "o"], "unknown option --dat; did you mean --data?"),
        (["evaluate", "--metric=ssim"], "unknown option --metric; did you mean --metrics?"),
        (["dancers", "-x"], "unknown option -x; "),
        (["doctor", "--wieghts", "w"], "unknown option --wieghts; did you mean --weights?"),
        (["animte", "--out", "o"], "unknown command animte; did you mean animate?"),
        (["--verison"], "unknown option --verison; did you mean --version?"),
        (["models", "all"], "all is one argument too many"),
    ],
)
def test_what_nobody_knows_is_named_with_the_nearest_that_is_known(line, words, capsys):
    assert main(line) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"dancepipe: {words}") and error.count("\n") == 1


def test_a_value_that_looks_like_a_flag_is_a_value(capsys):
    assert main(["dancers", "-o", "x", "--seed", "-1"]) == 2
    assert "option 'seed' must be at least 0, got -1" in capsys.readouterr().err


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder with me.png, dance.mp4 and untrained weights.safetensors."""
    folder = tmp_path_factory.mktemp("clip")
    shutil.copy(SAMPLES / "reference.png", folder / "me.png")
    write_dance(folder / "dance.mp4", frames=4)
    write_untrained_weights(folder / "weights.safetensors")
    return folder


@pytest.mark.parametrize(
    "places",
    [
        ["me.png", "dance.mp4", "-o", "out.mp4"],
        ["me.png", "-o", "out.mp4", "dance.mp4"],
        ["-o", "out.mp4", "--ref", "me.png", "dance.mp4"],
        ["--driver", "dance.mp4", "--out", "out.mp4", "me.png"],
        ["-o", "out.mp4", "--driver", "dance.mp4", "--ref", "me.png"],
    ],
)
def test_photo_and_video_by_place_or_by_flag(places, clip, capsys, monkeypatch):
    monkeypatch.chdir(clip)
    line = ["animate", *places, "-w", "weights.safetensors", "-d", "cpu", "--overwrite", "--json"]
    assert main(line) == 0
    shown = capsys.readouterr()
    summary = json.loads(shown.out)
    assert (summary["frames_out"], summary["out"]) == (4, "out.mp4")
    assert "device: cpu" in shown.err, "what is no result goes to stderr"


def test_quiet_leaves_the_result_alone(clip, capsys, monkeypatch):
    monkeypatch.chdir(clip)
    line = ["animate", "me.png", "dance.mp4", "-o", "out.mp4", "-w", "weights.safetensors"]
    assert main([*line, "--overwrite", "-q", "-d", "cpu"]) == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("out.mp4: 4 frames of 4") and shown.err == ""


@pytest.mark.parametrize(
    "places, message",
    [
        ([], "animate lacks --ref, a photo; for example: dancepipe animate me.jpg dance.mp4"),
        (["me.png"], "animate lacks --driver, a video"),
        (["a.png", "b.mp4", "c.mp4"], "c.mp4 is one more; name each once"),
        (["--ref", "a.png", "--driver", "b.mp4", "--", "c.mp4"], "c.mp4 is one more"),
        (["--ref", "a.png"], "animate lacks --driver, a video"),
        (["--driver", "a.mp4", "--driver", "b.mp4"], "--driver is given twice, a.mp4 and b.mp4"),
    ],
)
def test_a_photo_or_video_too_few_or_too_many(places, message, capsys):
    assert main(["animate", "-o", "x.mp4", *places]) == 2
    assert message in capsys.readouterr().err


def test_threads_are_what_was_asked_for(monkeypatch, capsys):
    import torch

    before = torch.get_num_threads()
    for name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "NUMBA_NUM_THREADS"):
        monkeypatch.setenv(name, "1")
    try:
        assert main(["weights", "--threads", "3"]) == 0
        assert torch.get_num_threads() == 3 and os.environ["OMP_NUM_THREADS"] == "3"
    finally:
        torch.set_num_threads(before)
    assert main(["weights", "--threads", "0"]) == 2
    assert "--threads needs a number of at least 1, got 0" in capsys.readouterr().err


def test_a_shipped_configuration_is_found_from_anywhere(tmp_path, monkeypatch, said):
    monkeypatch.chdir(tmp_path)
    root = Path(__file__).parent.parent
    for name in ("live", "live.yaml", "configs/live.yaml", "ablation/full"):
        found = find_config(name)
        assert found.is_relative_to(root) and found.is_file()
    assert "live, which comes with dancepipe" in said[0]
    with pytest.raises(ConfigError, match="no configuration file at liv; .* base, .*live"):
        find_config("liv")


def test_a_configuration_of_the_folder_wins_over_a_shipped_one(tmp_path, monkeypatch, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "live.yaml").write_text("batch: 3\n")
    assert find_config("live") == find_config("live.yaml") == Path("live.yaml")
    assert said[0] == "configuration: live.yaml of this folder, not the one of dancepipe"
    (tmp_path / "live").mkdir()
    assert find_config("live") == Path("live.yaml"), "a folder is no configuration"


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
    line = ["build-dataset", str(tmp_path / "none.mp4"), "--out", str(tmp_path / "data")]
    assert main(line) == 2
    said = capsys.readouterr().out
    assert "1 of 1 sources failed; " in said
    assert "run this again when their files are mended, or with --retry-failed" in said
    assert main([*line, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["failures"] == 1


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


def test_doctor_tells_programs_the_same(capsys):
    assert main(["doctor", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["packages"]["numpy"] and "web" in told["extras"]
    assert any(line.startswith("cpu ") for line in told["devices"])
