"""tools/table1.py in small: every system on the same pairs, to one budget, the paper's numbers
beside; a second call does nothing."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from test_pair_list import write_people
from test_retarget import whole
from test_single import SMALL
from test_train import QUICK

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import table1 as tool

from dancepipe.errors import ConfigError
from dancepipe.evaluation.options import EvaluateOptions

BASE = replace(
    QUICK,
    height_px=64,
    width_px=64,
    stage1_steps=1,
    stage2_steps=1,
    sample_every=100,
    save_every=100,
    **{name: getattr(SMALL[name], name) for name in SMALL},
)
SCORING = EvaluateOptions(
    metrics="l1,ssim", pairs_per_person=1, min_pose_change=0.1, bootstrap=20, device="cpu",
    cache="none",
)  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write_people(folder, people=3, frames=5, body=lambda person, pose: whole(pose))
    (folder / "train").symlink_to(folder / "test")
    return folder


def test_every_row_is_trained_scored_and_in_the_table(data, tmp_path, monkeypatch):
    rows = tuple(row for row in tool.ROWS if row.name in ("ours", "fewshot_body"))
    monkeypatch.setattr(tool, "row_options", _narrow(tool.row_options))
    out = tmp_path / "out"
    text = tool.table1(data, out, BASE, rows=rows, dataset="market", scoring=SCORING)
    records = [json.loads((out / row.name / "scores.json").read_text()) for row in rows]
    assert [list(record["methods"]) for record in records] == [
        ["network", "copy", "limb-warp", "body"],
        ["network"],
    ]
    assert len({record["protocol"]["data_sha256"] for record in records}) == 1
    for row in rows:
        assert f"\n{row.title}  " in text
    lines = [line.split() for line in text.splitlines()]
    assert ["CocosNet", "(paper)", "36.804", "0.304", "0.164"] in [line[:5] for line in lines]
    assert {"copy", "limb-warp", "body"} <= {line[0] for line in lines if line}
    assert (
        "Few-shot-vid2vid, body prior: 2 steps; " in text
        and "Focus and Retain: 1 steps of stage 1, 1" in text
    )
    assert "Nothing is claimed beyond the budget" in text and (out / "pictures.jpg").is_file()

    def never(*_, **__):
        raise AssertionError("what is done is not done again")

    monkeypatch.setattr("ablation.train", never)
    monkeypatch.setattr("ablation.evaluate", never)
    again = tool.table1(data, out, BASE, rows=rows, dataset="market", scoring=SCORING)
    assert again == text
    with pytest.raises(ConfigError, match="holds an ablation with other seconds"):
        tool.table1(data, out, BASE, rows=rows, dataset="market", seconds=5, scoring=SCORING)


def _narrow(row_options):
    """Rows with the networks of the tests."""

    def narrow(row, base, small_networks=False):
        own = row_options(row, base, small_networks)
        blocks = {name: getattr(BASE, name) for name in SMALL}
        return replace(own, **blocks)

    return narrow


def test_rows_differ_in_what_is_their_own_alone():
    base = replace(QUICK, height_px=64, width_px=64)
    options = {row.name: tool.row_options(row, base) for row in tool.ROWS}
    shared = ("height_px", "width_px", "batch", "mirror", "colour_jitter", "average", "perceptual")
    for name, own in options.items():
        assert all(getattr(own, field) == getattr(base, field) for field in shared), name
        assert own.stage1_steps + own.stage2_steps == 10
        assert own.prior == ("body" if name.endswith("_body") else "none")
    assert [options[name].system for name in ("ours", "gfla", "guided", "cocos", "fewshot")] == [
        "focus_retain", "focus_retain", "guided", "cocos", "fewshot"
    ]  # fmt: skip
    small = tool.row_options(tool.ROWS[3], base, small_networks=True)
    assert (small.cocos.nf, options["cocos"].cocos.nf) == (8, 64)


def test_the_data_are_named_by_one_thing(tmp_path, capsys):
    out = str(tmp_path / "x")
    assert tool.main(["--out", out]) == 2
    assert "name the data by one of --data" in capsys.readouterr().err
    assert tool.main(["--out", out, "--data", "here", "--market", "there"]) == 2
    assert "got --data and --market" in capsys.readouterr().err
    assert tool.main(["--out", out, "--market", str(tmp_path)]) == 2
    assert "no market1501 in" in capsys.readouterr().err
    assert tool.main(["--out", out, "--data", "here", "--rows", "ours,vid2vid"]) == 2
    assert "unknown rows vid2vid; known are ours" in capsys.readouterr().err
