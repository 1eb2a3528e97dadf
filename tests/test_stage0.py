"""Stage 0: the flow network alone learns, stage 1 goes on from it, and a killed run ends in the
same weights."""

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import yaml
from test_dims_of import state
from test_train import ALONE, QUICK, data, logged, same_weights  # noqa: F401

from dancepipe.config import as_plain
from dancepipe.data.pairs import PairSource, collate
from dancepipe.errors import ConfigError
from dancepipe.losses.perceptual import random_vgg19
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.systems.focus_retain.stages import Stage0, flow_alone
from dancepipe.systems.focus_retain.training import dims_of
from dancepipe.training.checkpoint import checkpoints
from dancepipe.training.inputs import network_pair
from dancepipe.training.train import train

WITH_STAGE_0 = replace(QUICK, stage0_steps=4, stage1_steps=2, stage2_steps=1)


@pytest.fixture(scope="module")
def pair(data):
    source = PairSource(data, "train", (32, 32), seed=0)
    return network_pair(collate([source[number] for number in range(4)]), "cpu")


@pytest.mark.parametrize("prior", ["none", "limbs"])
def test_the_flow_network_alone_is_trained(pair, prior):
    options = replace(QUICK, prior=prior)
    torch.manual_seed(0)
    stage = Stage0(dims_of(options), options, random_vgg19(), ALONE)
    before = state({"": stage.flow_attention})
    first = stage.step([pair], 0, with_statistics=True)
    assert {
        name.split(".")[1]
        for name, value in state({"": stage.flow_attention}).items()
        if not torch.equal(value, before[name])
    } == {"flow_network"}
    assert set(first) == {"total", "flow_image", "flow_feature", "flow_8_mean", "flow_4_mean"}
    assert first["total"].item() == pytest.approx(
        (20 * first["flow_feature"] + first["flow_image"]).item(), rel=1e-5
    )


def test_the_flow_is_learnt_and_shown(pair):
    torch.manual_seed(0)
    smooth = (
        torch.nn.functional.interpolate(
            torch.rand(4, 3, 9, 9), size=(32, 32), mode="bicubic"
        ).clamp(0, 1)
        * 2
        - 1
    )
    pair = replace(
        pair,
        I_r=smooth,
        I_t=torch.cat((smooth[..., 2:], smooth[..., -1:].expand(-1, -1, -1, 2)), 3),
    )  # all moves by 2 px
    options = replace(QUICK, prior="none", average=0.0)
    stage = Stage0(dims_of(options), options, None, ALONE)
    errors = [
        stage.step([pair], number, with_statistics=True)["flow_image"] for number in range(60)
    ]
    assert errors[-1] < 0.5 * errors[0]
    shown = stage.show(pair)
    still = (pair.I_r - pair.I_t).abs().mean()
    assert (shown.picture - pair.I_t).abs().mean() < 0.5 * still


def test_weights_of_the_terms():
    weights = flow_alone(LossWeights(flow_exact=3, affine=0.1))
    assert (weights.flow_feature, weights.flow_image, weights.flow_exact, weights.affine) == (
        20,
        1,
        3,
        0.1,
    )
    assert flow_alone(LossWeights(flow_image=0)).flow_image == 0, "as in GFLA's own losses"


def command(data, out) -> list[str]:
    config = out.parent / "stage0.yaml"
    config.write_text(yaml.safe_dump(as_plain(WITH_STAGE_0)))
    return [
        sys.executable,
        "-m",
        "dancepipe",
        "train",
        "--config",
        str(config),
        "--data",
        str(data),
        "--out",
        str(out),
    ]


@pytest.fixture(scope="module")
def straight(data, tmp_path_factory):
    out = tmp_path_factory.mktemp("straight") / "run"
    subprocess.run(command(data, out), check=True, capture_output=True, timeout=300)
    return out


def test_stage_1_goes_on_from_the_flow_of_stage_0(data, straight, tmp_path):
    records = [json.loads(line) for line in (straight / "log.jsonl").read_text().splitlines()]
    stages = [record["stage"] for record in records if "total" in record]
    assert (
        stages == [0] * 4 + [1] * 2 + [2] and (straight / "samples" / "stage0-0000004.png").exists()
    )
    without = replace(WITH_STAGE_0, stage0_steps=0)
    train(data, tmp_path / "run", without)
    assert not same_weights(straight, tmp_path / "run")
    of_stage_1 = {name: value for (stage, _, name), value in logged(straight).items() if stage == 1}
    assert of_stage_1.keys() == {
        name for (stage, _, name) in logged(tmp_path / "run") if stage == 1
    }


@pytest.mark.parametrize("name", ["stage0-0000002", "stage0-0000004", "stage1-0000002"])
def test_a_killed_run_ends_in_the_same_weights(data, straight, tmp_path, name):
    out = tmp_path / "run"
    process = subprocess.Popen(
        command(data, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 200
        while (
            not (out / "checkpoints" / name).exists()
            and process.poll() is None
            and time.monotonic() < deadline
        ):
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert checkpoints(out)
    subprocess.run([*command(data, out), "--resume"], check=True, capture_output=True, timeout=300)
    assert same_weights(out, straight) and logged(out) == logged(straight)


def test_a_start_from_weights_needs_no_stage_0(data, straight, tmp_path):
    options = replace(WITH_STAGE_0, init=str(straight / "weights.safetensors"))
    with pytest.raises(ConfigError, match="stage0_steps is 4, but --init gives a flow already"):
        train(data, tmp_path / "run", options)
