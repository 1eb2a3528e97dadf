"""Training: resumed equals straight, killed loses nothing, stage 2 leaves stage 1 alone, and
every refusal names itself."""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import warm
import yaml
from hearing import hearing
from test_store import write

import dancepipe.training
from dancepipe.config import as_plain
from dancepipe.errors import (
    ConfigError,
    DatasetError,
    OutputError,
    TrainingDivergedError,
    WeightsError,
)
from dancepipe.processes import Processes
from dancepipe.systems.focus_retain.dims import PRESETS
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.weights import read_tensors
from dancepipe.training.checkpoint import checkpoints
from dancepipe.training.options import TrainOptions
from dancepipe.training.pace import TIMES
from dancepipe.training.train import train

QUICK = TrainOptions(
    preset="tiny",
    height_px=32,
    width_px=32,
    stage1_steps=6,
    stage2_steps=4,
    batch=2,
    learning_rate=1e-3,
    perceptual="none",
    weights=LossWeights(adversarial=0.1),
    device="cpu",
    workers=0,
    log_every=1,
    sample_every=4,
    held_out_pre=False,
    save_every=2,
    keep_checkpoints=2,
)


ALONE = Processes(0, 1, "cpu")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    write(folder / "train" / "a.parquet", 12, identity="ann")
    write(folder / "train" / "b.parquet", 8, identity="bob")
    write(folder / "test" / "c.parquet", 5, identity="cid", split="test")
    return folder


def command(data, out) -> list[str]:
    """The command line of QUICK. A process of its own: libraries that other tests load may
    change how denormal numbers are rounded."""
    config = out.parent / "quick.yaml"
    config.write_text(yaml.safe_dump(as_plain(QUICK)))
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


def logged(out) -> dict:
    """{(stage, step, name): value} without the times. Nothing may be logged twice, by resumed
    runs neither."""
    values = {}
    for line in (out / "log.jsonl").read_text().splitlines():
        record = json.loads(line)
        for name, value in record.items():
            if name not in ("stage", "step", "seconds", *TIMES):
                assert (record["stage"], record["step"], name) not in values
                values[record["stage"], record["step"], name] = value
    return values


def same_weights(left, right) -> bool:
    left, right = (read_tensors(path / "weights.safetensors")[0] for path in (left, right))
    return left.keys() == right.keys() and all(
        torch.equal(left[name], right[name]) for name in left
    )


def test_a_run_leaves_everything_that_one_looks_for(straight):
    names = {path.name for path in straight.iterdir()}
    assert {
        "config.yaml",
        "run.json",
        "log.jsonl",
        "weights.safetensors",
        "stage1.safetensors",
        "samples",
        "checkpoints",
    } <= names
    assert any(name.startswith("events.out.tfevents") for name in names)
    assert sorted(path.name for path in (straight / "samples").iterdir()) == [
        "stage1-0000004.png", "stage1-0000006.png", "stage2-0000004.png",
    ]  # fmt: skip
    assert [path.name for path in checkpoints(straight)] == ["stage2-0000002", "stage2-0000004"]
    networks = load_networks(straight / "weights.safetensors")
    assert networks.dims.size_hw == (32, 32) and networks.enhancer is not None
    assert json.loads((straight / "run.json").read_text())["facts"]["held_out_identities"] == 1
    values = logged(straight)
    for name in (
        "flow_image",
        "l1",
        "adversarial",
        "matte",
        "total",
        "M_8_mean",
        "A_4_max",
        "D_real",
    ):
        assert (1, 6, name) in values
    for name in (
        "l1",
        "face_l1",
        "adversarial",
        "adversarial_face",
        "matte",
        "D_f_made",
        "held_out_l1",
    ):
        assert (2, 4, name) in values


def test_the_configuration_that_was_written_gives_the_same_options(straight):
    assert yaml.safe_load((straight / "config.yaml").read_text()) == as_plain(QUICK)


@pytest.mark.parametrize("stage, step", [(1, 2), (1, 6), (2, 2)])
def test_a_killed_and_resumed_run_equals_a_straight_one_bit_for_bit(
    data, straight, tmp_path, stage, step
):
    out = tmp_path / "run"
    wanted = out / "checkpoints" / f"stage{stage}-{step:07d}"
    process = subprocess.Popen(
        command(data, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + 120
        while not wanted.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert checkpoints(out)
    assert all(path.name.startswith("stage") for path in checkpoints(out))
    subprocess.run([*command(data, out), "--resume"], check=True, capture_output=True, timeout=300)
    assert same_weights(out, straight)
    assert logged(out) == logged(straight)
    assert not [path.name for path in out.rglob(".*")]  # what the killed process left is gone


SELDOM = replace(QUICK, save_every=1000)


def test_a_run_that_is_terminated_before_its_first_checkpoint_loses_nothing(data, tmp_path):
    options = replace(SELDOM, stage1_steps=12)
    config = tmp_path / "seldom.yaml"
    config.write_text(yaml.safe_dump(as_plain(options)))
    train_to = ["train", "--config", config, "--data", data, "--out"]
    assert warm.run([*train_to, tmp_path / "straight"], tmp_path / "straight.txt").code == 0
    out, said = tmp_path / "run", tmp_path / "run.txt"
    process = warm.start([*train_to, out], said)
    deadline = time.monotonic() + 120
    while not (out / "log.jsonl").exists() or not (out / "log.jsonl").read_text():
        assert process.is_alive() and time.monotonic() < deadline
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGTERM)
    ended = warm.end(process, said)
    assert ended.code == 143 and "Traceback" not in ended.said
    lines = [line for line in ended.said.splitlines() if line.startswith("SIGTERM: ")]
    assert len(lines) == 1 and "go on with --resume" in lines[0]
    assert len(checkpoints(out)) >= 1 and not (out / "weights.safetensors").exists()
    assert warm.run([*train_to, out, "--resume"], tmp_path / "resumed.txt").code == 0
    assert same_weights(out, tmp_path / "straight")
    assert logged(out) == logged(tmp_path / "straight")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_step_in_which_a_signal_comes_is_finished_and_saved(data, tmp_path, number):
    before, said = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)], []

    def act(text: str) -> None:
        said.append(text)
        if text.startswith("stage 1, step 3 "):
            signal.raise_signal(number)

    with hearing(act), pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "run", SELDOM)
    # what a step says, it says when it is done: the next one is finished
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["stage1-0000004"]
    assert "saved after step 4 of 6 of stage 1; go on with --resume" in said[-1]
    assert before == [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]


@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_to_the_processes_that_read_data_loses_nothing_either(
    data, tmp_path, number, code
):
    """A terminal sends Ctrl-C to all processes of a command, a cluster sends SIGTERM to all."""
    out, config = tmp_path / "run", tmp_path / "workers.yaml"
    options = replace(SELDOM, stage1_steps=100_000, sample_every=100_000, workers=2)
    config.write_text(yaml.safe_dump(as_plain(options)))
    process = subprocess.Popen(
        [*command(data, out), "--config", str(config)],
        start_new_session=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        while not (out / "log.jsonl").exists() or not (out / "log.jsonl").read_text():
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(process.pid, number)
        _, said = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == code and "Traceback" not in said
    assert said.count("go on with --resume") == 1 and len(checkpoints(out)) == 1


def test_a_second_signal_interrupts_at_once(data, tmp_path):
    def act(text: str) -> None:
        if text.startswith("stage 1, step 3 "):
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)

    with hearing(act), pytest.raises(KeyboardInterrupt):
        train(data, tmp_path / "run", SELDOM)
    assert checkpoints(tmp_path / "run") == []


def test_a_run_in_another_thread_leaves_signals_alone(data, tmp_path):
    before, ended = signal.getsignal(signal.SIGINT), []
    options = replace(SELDOM, stage1_steps=1, stage2_steps=0)

    def work() -> None:
        train(data, tmp_path / "run", options)
        ended.append(True)

    thread = threading.Thread(target=work)
    thread.start()
    thread.join(120)
    assert ended and signal.getsignal(signal.SIGINT) is before


def test_stage_2_leaves_the_flow_attention_network_bit_identical(straight):
    first, _ = read_tensors(straight / "stage1.safetensors")
    final, _ = read_tensors(straight / "weights.safetensors")
    assert all(torch.equal(tensor, final[name]) for name, tensor in first.items())
    assert any(name.startswith("enhancer.") for name in final)


def test_stage_1_weights_alone_can_be_loaded(straight):
    assert load_networks(straight / "stage1.safetensors").enhancer is None


def test_the_loss_falls_on_a_data_set_of_drawn_people(data, tmp_path):
    options = TrainOptions(
        **{
            **vars(QUICK),
            "stage1_steps": 60,
            "stage2_steps": 1,
            "batch": 8,
            "log_every": 5,
            "sample_every": 1000,
            "save_every": 1000,
        }
    )
    train(data, tmp_path / "run", options)
    values = logged(tmp_path / "run")
    early = [values[1, step, "l1"] for step in (5, 10, 15)]
    late = [values[1, step, "l1"] for step in (50, 55, 60)]
    assert sum(late) < 0.7 * sum(early)


@pytest.mark.parametrize(
    "system, words", [("body", "body learns nothing; train focus_retain"), ("x", "unknown system")]
)
def test_what_cannot_be_trained_is_refused(data, tmp_path, system, words):
    with pytest.raises(ConfigError, match=words) as refused:
        train(data, tmp_path / "run", replace(QUICK, system=system))
    assert "\n" not in str(refused.value) and checkpoints(tmp_path / "run") == []


def test_the_training_knows_no_system_by_name():
    folder = Path(dancepipe.training.__file__).parent
    texts = {path.name: path.read_text(encoding="utf-8") for path in folder.glob("*.py")}
    named = {name for name, text in texts.items() if "systems.focus_retain" in text}
    assert named == {"options.py"}  # the loss weights are options of the command line


def test_a_dry_run_shows_and_writes_nothing(data, tmp_path, said):
    train(data, tmp_path / "run", QUICK, dry_run=True)
    shown = "\n".join(said)
    network = FlowAttentionNetwork(PRESETS["tiny"].flow_attention)
    assert (
        f"flow attention network: {sum(one.numel() for one in network.parameters()) / 1e6:.2f} M "
        "parameters" in shown
    )
    assert "enhancer: " in shown and "2 are kept" in shown and "device: cpu" in shown
    assert '"preset": "tiny"' in shown and "20 pictures of 2 people; held out: 1 people" in shown
    assert not (tmp_path / "run").exists()


def test_a_term_that_is_not_finite_stops_by_name_and_keeps_the_last_checkpoint(
    data, tmp_path, monkeypatch
):
    from dancepipe.systems.focus_retain import stages

    real, calls = stages.stage1_terms, []

    def poisoned(*arguments):
        terms = real(*arguments)
        calls.append(1)
        return {**terms, "matte": terms["matte"] * float("nan")} if len(calls) == 4 else terms

    monkeypatch.setattr(stages, "stage1_terms", poisoned)
    with pytest.raises(TrainingDivergedError, match="matte is nan"):
        train(data, tmp_path / "run", QUICK)
    assert [path.name for path in checkpoints(tmp_path / "run")] == ["stage1-0000002"]
    assert not (tmp_path / "run" / "weights.safetensors").exists()


def test_refusals(data, straight, tmp_path):
    with pytest.raises(ConfigError, match="already holds a run; go on with --resume"):
        train(data, straight, QUICK)
    changed = TrainOptions(**{**vars(QUICK), "batch": 4})
    with pytest.raises(ConfigError, match="batch was 2, now 4"):
        train(data, straight, changed, resume=True)
    with pytest.raises(ConfigError, match="multiples of 16"):
        train(data, tmp_path / "x", TrainOptions(**{**vars(QUICK), "height_px": 40}))
    with pytest.raises(DatasetError, match="no data set at"):
        train(tmp_path / "nowhere", tmp_path / "x", QUICK)
    with pytest.raises(ConfigError, match="torch sees no CUDA GPU|there are . GPUs"):
        train(data, tmp_path / "x", TrainOptions(**{**vars(QUICK), "device": "cuda:9"}))
    with pytest.raises(WeightsError, match="no VGG-19 weights at .*nope.pth"):
        train(
            data,
            tmp_path / "x",
            TrainOptions(**{**vars(QUICK), "perceptual": "vgg19:nope.pth"}),
        )
    assert not (tmp_path / "x").exists()


def test_weights_that_an_update_broke_are_never_saved(data, tmp_path):
    options = TrainOptions(
        **{**vars(QUICK), "learning_rate": 1e30, "stage1_steps": 1, "stage2_steps": 0}
    )
    with pytest.raises(
        TrainingDivergedError, match="training diverged: .* not finite after step 1 of stage 1"
    ):
        train(data, tmp_path / "run", options)
    assert not list((tmp_path / "run").rglob("*.safetensors"))


def test_other_data_and_fewer_steps_are_refused_on_resume(data, straight, tmp_path):
    shutil.copytree(straight, tmp_path / "run")
    write(tmp_path / "other" / "train" / "a.parquet", 12, identity="ann")
    with pytest.raises(ConfigError, match="cannot resume on other data"):
        train(tmp_path / "other", tmp_path / "run", QUICK, resume=True)
    with pytest.raises(
        ConfigError, match="4 steps of stage 2 are done already; stage2_steps cannot become 1"
    ):
        train(
            data,
            tmp_path / "run",
            TrainOptions(**{**vars(QUICK), "stage2_steps": 1}),
            resume=True,
        )


def test_without_a_terminal_every_logged_step_says_its_pace(data, tmp_path, said):
    train(
        data,
        tmp_path / "run",
        replace(QUICK, stage1_steps=3, stage2_steps=0, sample_every=100),
    )
    lines = [
        line
        for line in said
        if line.startswith("stage 1, step ")
        and "samples/s, data wait" in line
        and "to go, l1 " in line
    ]
    assert len(lines) == 3
    records = [
        json.loads(line) for line in (tmp_path / "run" / "log.jsonl").read_text().splitlines()
    ]
    assert all(set(TIMES) <= set(record) for record in records if "l1" in record)


def test_stage_1_alone_says_so_and_a_log_has_each_step_once(data, tmp_path):
    said = []
    with hearing(said.append):
        train(
            data,
            tmp_path / "run",
            TrainOptions(**{**vars(QUICK), "stage1_steps": 3, "stage2_steps": 0, "log_every": 2}),
        )
    assert (
        load_networks(tmp_path / "run" / "weights.safetensors").enhancer is None
        and "stage 1 only" in said[-1]
    )
    values = logged(tmp_path / "run")
    assert (1, 2, "l1") in values and (
        1,
        3,
        "l1",
    ) in values  # the last step is logged in full, multiple or not


def test_a_damaged_checkpoint_is_named(data, straight, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(straight, out)
    file = checkpoints(out)[-1] / "networks.safetensors"
    file.write_bytes(file.read_bytes()[: os.path.getsize(file) // 2])
    with pytest.raises(
        WeightsError, match="checkpoint .*stage2-0000004 is damaged; delete that folder"
    ):
        train(data, out, QUICK, resume=True)


def test_resume_begins_where_there_is_nothing_yet(data, straight, tmp_path):
    again = [*command(data, tmp_path / "run"), "--resume"]
    said = subprocess.run(again, check=True, capture_output=True, text=True, timeout=300).stderr
    assert "nothing to resume" in said
    assert same_weights(tmp_path / "run", straight)
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "weights.safetensors").write_bytes(b"mine")
    with pytest.raises(ConfigError, match="already holds weights"):
        train(data, tmp_path / "foreign", QUICK, resume=True)
    assert (tmp_path / "foreign" / "weights.safetensors").read_bytes() == b"mine"


def half_way(straight, out):
    """The finished run as it was at its first checkpoint of stage 2."""
    shutil.copytree(straight, out)
    shutil.rmtree(checkpoints(out)[-1])
    (out / "weights.safetensors").unlink()


def test_a_log_that_a_crash_tore_is_read_as_far_as_it_is_whole(data, straight, tmp_path):
    out = tmp_path / "run"
    half_way(straight, out)
    text = (out / "log.jsonl").read_text()
    (out / "log.jsonl").write_text(text + '{"stage": 2, "step": 4, "sec')
    again = [*command(data, out), "--resume"]
    said = subprocess.run(again, check=True, capture_output=True, text=True, timeout=300).stderr
    assert "log.jsonl: 1 damaged line left out" in said
    assert same_weights(out, straight) and logged(out) == logged(straight)


DAMAGES = {
    "state.json": (
        "null",
        "[]",
        '{"stage": 1}',
        '{"stage": "1", "step": 2}',
        '{"stage": 9, "step": 2}',
        "{",
        "",
    ),
    "run.json": ("null", "[]", '{"facts": []}', '{"facts": null}', "{", "\xff"),
    "config.yaml": ("null", "- 1", "batch: [", "batch: 2020-13-45", "batch: x"),
}


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_files_of_a_run_are_named(data, straight, tmp_path, name):
    out = tmp_path / "run"
    half_way(straight, out)
    file = checkpoints(out)[-1] / name if name == "state.json" else out / name
    for text in DAMAGES[name]:
        file.write_text(text, encoding="latin-1")
        with pytest.raises((ConfigError, WeightsError)) as refused:
            train(data, out, QUICK, resume=True)
        words = str(refused.value)
        assert str(out) in words and "\n" not in words


def test_without_tensorboard_the_log_is_whole_and_the_extra_is_named(
    data, straight, tmp_path, said, monkeypatch
):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)  # as if not installed
    out = tmp_path / "run"
    train(data, out, QUICK)
    assert logged(out) == logged(straight) and same_weights(out, straight)
    assert not list(out.glob("events.*"))
    (line,) = (line for line in said if "TensorBoard" in line)
    assert "log.jsonl has every number" in line and "'dancepipe[tensorboard]'" in line


def test_a_run_whose_folder_is_removed_says_so(data, tmp_path):
    out = tmp_path / "run"

    def remove(text: str) -> None:
        if text.startswith("stage 1, step 3 "):
            out.rename(tmp_path / "elsewhere")  # at one stroke: TensorBoard's thread writes there

    with pytest.raises(OutputError, match="run was removed or moved while this wrote to it"):
        with hearing(remove):
            train(data, out, QUICK)
    assert not (out / "weights.safetensors").exists()
