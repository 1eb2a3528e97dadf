"""tools/ablation.py in small: shared stages equal trained ones, a second call does nothing, the
table says what was done."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from test_pair_list import write_people
from test_train import QUICK, same_weights

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

import ablation as tool

from dancepipe.errors import ConfigError
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.training.options import TrainOptions
from dancepipe.training.train import train

BASE = replace(QUICK, stage1_steps=3, stage2_steps=2, sample_every=100, save_every=100)
SCORING = EvaluateOptions(
    metrics="l1,ssim,hf,pre,found",
    pairs_per_person=2,
    min_pose_change=0.1,
    bootstrap=50,
    device="cpu",
    cache="none",
)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = write_people(tmp_path_factory.mktemp("data"), people=5)
    (folder / "train").symlink_to(folder / "test")
    return folder


@pytest.fixture(scope="module")
def done(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("ablation") / "out"
    return out, tool.ablation(data, out, BASE, scoring=SCORING)


def row(text: str, title: str) -> str:
    return next(line for line in text.splitlines() if line.startswith(title + "  "))


def test_every_arm_is_trained_scored_and_in_the_table(done):
    out, text = done
    for arm in tool.ARMS:
        assert (out / arm.name / "weights.safetensors").exists() and (
            out / arm.name / "scores.html"
        ).exists()
        l1 = json.loads((out / arm.name / "scores.json").read_text())["methods"]["network"][
            "l1_box"
        ]["value"]
        assert f"{l1:.4f} [" in row(text, arm.title)
    for line in (
        "copy",
        "limb-warp",
        "real",
        "Full (paper)",
        "GFLA (paper)",
        "w/o Face Loss (paper)",
    ):
        assert row(text, line)
    assert (
        "10 pairs of 5 held-out people at 32 x 32" in text
        and "FID" in text
        and "correctness term" in text
    )
    assert (
        "Full: 3 steps of stage 1, 2 of stage 2" in text
        and "w/o Face Loss: 3 steps of stage 1 (those of full), 2 of stage 2" in text
    )
    assert (out / "table.txt").read_text() == text + "\n"
    picture = np.asarray(Image.open(out / "pictures.jpg"))
    assert picture.shape == (14 + 5 * 160, (3 + len(tool.ARMS)) * 160, 3)


def test_baselines_are_scored_once_and_all_arms_on_the_same_pairs(done):
    out, _ = done
    records = [json.loads((out / arm.name / "scores.json").read_text()) for arm in tool.ARMS]
    assert [list(record["methods"]) for record in records] == [
        ["network", "copy", "limb-warp", "real"]
    ] + [["network", "real"]] * (len(records) - 1)
    assert len({record["protocol"]["data_sha256"] for record in records}) == 1
    assert len({record["protocol"]["weights_sha256"] for record in records}) == len(records)


def test_a_shared_stage_1_gives_the_weights_of_a_run_of_its_own(done, data, tmp_path):
    out, _ = done
    arms = {arm.name: arm for arm in tool.ARMS}
    for name in ("no_face", "prior_no_enhancer"):
        assert arms[name].after
        train(data, tmp_path / name, tool.arm_options(arms[name], BASE))
        assert same_weights(tmp_path / name, out / name)
    assert not same_weights(out / "no_face", out / "full")


def test_a_second_call_does_nothing_and_another_plan_is_refused(done, data):
    out, text = done
    files = {
        path: path.stat().st_mtime_ns
        for path in out.rglob("*")
        if path.suffix in (".safetensors", ".json", ".jsonl")
    }
    assert tool.ablation(data, out, BASE, scoring=SCORING) == text
    assert files == {path: path.stat().st_mtime_ns for path in files}
    with pytest.raises(ConfigError, match="holds an ablation with other options; give the same"):
        tool.ablation(data, out, replace(BASE, seed=1), scoring=SCORING)


def test_a_stopped_arm_goes_on(data, tmp_path, monkeypatch):
    arms = tool.ARMS[:1]
    straight = tool.ablation(data, tmp_path / "straight", BASE, arms=arms, scoring=SCORING)

    class Killed(Exception):
        pass

    def killed(*arguments, **settings):
        raise Killed

    monkeypatch.setattr(tool, "evaluate", killed)
    monkeypatch.setattr(
        tool,
        "train",
        lambda data, out, options, **rest: train(
            data, out, replace(options, stop_after=1e-3), **rest
        ),
    )
    with pytest.raises(Killed):  # stopped after a step: there are no weights to score yet
        tool.ablation(data, tmp_path / "stopped", BASE, arms=arms, scoring=SCORING)
    monkeypatch.undo()
    assert not (tmp_path / "stopped" / "full" / "weights.safetensors").exists()
    again = tool.ablation(data, tmp_path / "stopped", BASE, arms=arms, scoring=SCORING)
    assert same_weights(tmp_path / "stopped" / "full", tmp_path / "straight" / "full")
    assert row(again, "Full") == row(straight, "Full")


def test_seconds_scale_the_steps_of_all_arms_alike(data, tmp_path, monkeypatch):
    monkeypatch.setattr(
        tool,
        "_pace",
        lambda data, out, options, trained: {
            stage: 0.5 * stage for stage, count in trained.items() if count
        },
    )
    arms = tuple(arm for arm in tool.ARMS if arm.name in ("full", "no_face", "gfla"))
    options = {
        arm.name: tool.arm_options(arm, replace(BASE, stage1_steps=200, stage2_steps=100))
        for arm in arms
    }
    steps = tool._steps(data, tmp_path, arms, options, 80.0)
    # Named: full 200 x .5 + 100 x 1, no_face 100 x 1 (stage 1 is shared), gfla 200 x .5: 400 s, of
    # which 80 are a fifth.
    both = {"stage1_steps": 40, "stage2_steps": 20}
    assert steps == {"full": both, "no_face": both, "gfla": {"stage1_steps": 40, "stage2_steps": 0}}


def test_the_pace_is_measured_by_training(data, tmp_path):
    pace = tool._pace(data, tmp_path / "pace", BASE, {1: 3, 2: 2})
    assert (
        set(pace) == {1, 2}
        and all(0.001 < seconds < 60 for seconds in pace.values())
        and not (tmp_path / "pace").exists()
    )


def test_with_prior_the_papers_arms_have_it_and_gfla_does_not():
    options = {arm.name: tool.arm_options(arm, BASE, with_prior=True) for arm in tool.ARMS}
    assert (
        options["full"] == options["prior"]
        and options["no_enhancer"] == options["prior_no_enhancer"]
    )
    assert options["no_attention"] == replace(options["prior"], attention_module=False)
    assert options["gfla"].prior == "none" and options["gfla"] == tool.arm_options(
        tool.ARMS[4], BASE
    )


def test_rivals_are_arms_of_one_stage_with_a_recipe_of_their_own():
    for arm in tool.RIVALS:
        own = tool.arm_options(arm, BASE)
        assert (own.system, own.prior) == (arm.name, "none")
        assert (own.stage1_steps, own.stage2_steps) == (5, 0)
        assert getattr(own, arm.name) == getattr(TrainOptions(), arm.name)


def test_bad_arms_are_named(data, tmp_path, capsys):
    assert (
        tool.main(["--data", str(data), "--out", str(tmp_path / "x"), "--arms", "full,gflaa"]) == 2
    )
    assert "unknown arms gflaa; known are full, no_enhancer" in capsys.readouterr().err
    assert tool.main(["--data", str(data), "--out", str(tmp_path / "x"), "--arms", "no_face"]) == 2
    assert "share the first stage of full; add it" in capsys.readouterr().err
    assert tool.main(["--data", str(tmp_path / "nowhere"), "--out", str(tmp_path / "x")]) == 2
    assert "no data set at" in capsys.readouterr().err and not (tmp_path / "x").exists()
    with pytest.raises(ConfigError, match="leave --init out"):
        tool.ablation(data, tmp_path / "x", replace(BASE, init="live-256"))
