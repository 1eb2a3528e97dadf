"""tools/tables.py: the paper's figures as printed, ours beside them, and nothing invented where
a number is absent."""

import importlib.util
from pathlib import Path

import pytest

from dancepipe.errors import ConfigError
from dancepipe.evaluation.scores import Scores, scores_text
from dancepipe.evaluation.statistics import Estimate

_SPEC = importlib.util.spec_from_file_location(
    "tables", Path(__file__).resolve().parents[1] / "tools" / "tables.py"
)
tables = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(tables)


@pytest.fixture
def scored(tmp_path):
    protocol = {
        "pictures": 90,
        "people": 12,
        "size_hw": [256, 192],
        "networks": {"pose": "mediapipe (mediapipe 0)"},
    }
    methods = {
        "network": {
            "pre": Estimate(7.25, 7.0, 7.5, 90),
            "fid": Estimate(20.5, None, None, 90, "only 90 pictures"),
        },
        "copy": {"pre": Estimate(17.25, None, None, 90)},
    }
    path = tmp_path / "scores.json"
    path.write_text(scores_text(Scores("pairs", protocol, methods, {"lpips": "no weights"})))
    return path


def row(text: str, name: str) -> list[str]:
    return (
        next(line for line in text.splitlines() if line.startswith(name)).removeprefix(name).split()
    )


def test_the_papers_tables_stand_as_printed():
    text = tables.tables({}, [], [])
    ours = "12.995 0.220 10.38 26.88% 25.459 0.292 0.151 24.67% 14.516 0.148 4.228 12.91%".split()
    assert row(text, "Focus and Retain (paper)") == ours
    assert row(text, "w/o Face Loss (paper)") == ["15.451", "0.151", "4.386"]


def test_our_numbers_stand_beside_with_what_differs(scored):
    text = tables.tables(
        {"youtube": [f"ours={scored}", f"copied:copy={scored}"]},
        [f"Full={scored}"],
        ["youtube:ours=12.5"],
    )
    assert row(text, "ours ") == ["-"] * 8 + ["20.500*", "n/a", "7.25", "12.50%"]
    assert row(text, "copied")[-4:] == ["-", "n/a", "17.25", "-"]
    assert row(text, "Full  ") == ["20.500*", "n/a", "7.25"]
    assert (
        "90 pictures of 12 people; 192 x 256; pose: mediapipe" in text
        and "lpips n/a: no weights" in text
        and "* fid: only 90 pictures" in text
    )
    assert "AlphaPose" in text


def test_bad_arguments_are_named(scored, tmp_path, capsys):
    (tmp_path / "video.json").write_text(scores_text(Scores("video", {}, {"result": {}}, {})))
    for given, words in (
        ("x", "is not NAME=FILE"),
        (f"x:blend={scored}", "no method 'blend'; it has network, copy"),
        (f"x={tmp_path}/absent", "cannot read"),
        (f"x={tmp_path}/video.json", "scores a finished video"),
    ):
        with pytest.raises(ConfigError, match=words):
            tables.tables({"market": [given]}, [], [])
    with pytest.raises(ConfigError, match="data sets are deepfashion"):
        tables.tables({}, [], ["tiktok:ours=1"])
    assert tables.main(["--market", "x"]) == 2 and "is not NAME=FILE" in capsys.readouterr().err
