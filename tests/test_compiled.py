"""Compiled training makes the steps of plain training, and says in one line when nothing can be
compiled."""

import os
import subprocess
import sys
from dataclasses import replace

import pytest
import torch
import yaml
from test_processes import EVERY_TERM, assert_same_curve, data, losses  # noqa: F401

from dancepipe.config import as_plain
from dancepipe.errors import ConfigError
from dancepipe.nn.compiled import check_compiler, compile_in_place
from dancepipe.training.train import train


def can_compile() -> bool:
    try:
        check_compiler("cpu")
    except ConfigError:
        return False
    return True


@pytest.mark.slow
def test_compiled_steps_are_plain_steps(data, tmp_path):
    if not os.environ.get("DANCEPIPE_TEST_COMPILE"):
        pytest.skip(
            "takes minutes, and inductor's cache is shared with whatever else compiles; set "
            "DANCEPIPE_TEST_COMPILE=1"
        )
    if not can_compile():
        pytest.skip("no C++ compiler here")
    options = replace(EVERY_TERM, stage1_steps=2, stage2_steps=2, save_every=1)
    train(data, tmp_path / "plain", options)
    train(data, tmp_path / "compiled", replace(options, compile=True))
    assert_same_curve(losses(tmp_path / "plain"), losses(tmp_path / "compiled"))


def test_compiling_keeps_the_names_of_the_state():
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3))
    names = list(network.state_dict())
    compile_in_place([network, None])
    assert list(network.state_dict()) == names == ["0.weight", "0.bias"]


def test_without_a_compiler_it_is_refused_before_anything_is_written(data, tmp_path):
    config = tmp_path / "compile.yaml"
    config.write_text(yaml.safe_dump(as_plain(replace(EVERY_TERM, compile=True))))
    command = [
        sys.executable,
        "-m",
        "dancepipe",
        "train",
        "--config",
        str(config),
        "--data",
        str(data),
        "--out",
        str(tmp_path / "run"),
    ]
    nothing = {
        "CXX": str(tmp_path / "no-such-compiler"),
        "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache"),
    }
    result = subprocess.run(
        command, env=os.environ | nothing, capture_output=True, text=True, timeout=300
    )
    assert result.returncode == 2 and "Traceback" not in result.stderr
    assert (
        "compile was asked for, but nothing can be compiled here for cpu" in result.stderr
        and "leave compile off" in result.stderr
    )
    assert not (tmp_path / "run").exists()
