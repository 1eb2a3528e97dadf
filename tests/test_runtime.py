"""What runs networks beside torch gives torch's pictures; exported graphs too."""

import json
import logging
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from test_systems import HEIGHT, person, references, targets, values, weights

from dancepipe.cli import main
from dancepipe.errors import ConfigError, MissingExtraError
from dancepipe.nn.tensors import mask_to_network, to_network
from dancepipe.pose.batch import PoseBatch
from dancepipe.pose.draw import heat_maps, joint_map
from dancepipe.priors.names import prior_of
from dancepipe.runtime import choice
from dancepipe.runtime.choice import pick_runtime
from dancepipe.runtime.graph import open_graph
from dancepipe.systems.focus_retain.graphs import REFERENCE, state_names
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.open import export_named, open_named, open_system
from dancepipe.systems.shipped import find_weights

__all__ = ["weights"]  # a fixture
BESIDE_TORCH = ("onnx", "openvino")
ENLARGED, BODY, GFLA = (
    "focus_retain, both stages, enlarged",
    "focus_retain, body prior",
    "focus_retain, GFLA",
)


def installed(runtime: str) -> str:
    if not choice.is_installed(runtime):
        pytest.skip(f"the extra {runtime} is not installed")
    return runtime


@pytest.mark.parametrize(
    "case, runtime",
    [(ENLARGED, "openvino"), (BODY, "openvino"), (GFLA, "openvino"), (ENLARGED, "onnx")],
)
def test_a_runtime_draws_what_torch_draws(case, runtime, weights):
    by_torch = open_system(weights[case], "cpu")
    beside = open_named(weights[case], "cpu", "fp32", installed(runtime))
    assert replace(beside.info, draws_at_once=1) == by_torch.info
    people, poses = references(), targets(2)
    wanted = values(by_torch.draw(by_torch.encode(*people), poses))
    got = values(beside.draw(beside.encode(*people), poses))
    far = (got - wanted).abs().amax(3) > 2
    # Where two limbs meet, or a limb ends, either side may be read.
    assert far.float().mean() < 2e-3, (far.float().mean(), (got - wanted).abs().max())
    again = values(beside.draw(beside.encode(*people), poses))
    assert torch.equal(again, got)


def test_openvino_is_imported_without_what_would_send_telemetry():
    """In a process of its own, which has imported nothing yet."""
    installed("openvino")
    script = (
        "import sys\n"
        "from dancepipe.runtime.openvino_graph import OpenVinoGraph\n"
        "try: OpenVinoGraph(b'no network', 1)\n"
        "except RuntimeError: pass\n"
        "import openvino.tools.ovc as converter\n"
        "print(type(converter.telemetry).__module__)\n"
        "print([name for name, one in sys.modules.items() if one and 'openvino_telem' in name])\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    said = ran.stdout.splitlines()
    assert said == ["openvino.tools.ovc.telemetry_stub", "[]"], ran


def test_a_signal_is_heard_after_graphs_of_openvino_have_gone():
    """In a process of its own, since it would end it."""
    installed("openvino")
    script = (
        "import signal, torch\n"
        "from dancepipe.runtime.graph import as_onnx, open_graph\n"
        "content = as_onnx(torch.nn.ReLU(), {'x': torch.zeros(1, 3, 8, 8)}, ['y'])\n"
        "first, second = (open_graph('openvino', content) for _ in range(2))\n"
        "first.run({'x': torch.zeros(1, 3, 8, 8).numpy()})\n"
        "del first\n"
        "del second\n"
        "signal.signal(signal.SIGINT, lambda *_: print('heard'))\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0 and ran.stdout.split() == ["heard"], ran


def test_the_shipped_weights_draw_the_same_by_every_number_of_threads():
    runtime = installed("openvino")
    image, mask, body = person()
    people, poses = (image[None], mask[None], PoseBatch.of([body])), targets(3)
    drawn = {}
    try:
        for name, threads in (("torch", 1), (runtime, 1), (runtime, 2)):
            torch.set_num_threads(threads)
            system = open_named(find_weights("live-256"), "cpu", "fp32", name)
            assert system.info.draws_at_once == (1 if name == "torch" else threads)
            drawn[name, threads] = values(system.draw(system.encode(*people), poses))
    finally:
        torch.set_num_threads(1)
    assert torch.equal(drawn[runtime, 1], drawn[runtime, 2])
    far = (drawn[runtime, 1] - drawn["torch", 1]).abs().amax(3)
    assert far.max() <= 2 and (far > 1).float().mean() < 1e-3


@pytest.mark.parametrize("case", (ENLARGED, BODY, GFLA))
def test_exported_graphs_give_torchs_numbers(case, weights, tmp_path):
    """encode and draw, run by ONNX Runtime alone, against the networks in torch: 1e-3 of what
    they give at most."""
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    installed("onnx")
    files = export_named(weights[case], tmp_path / "out", overwrite=False)
    networks = load_networks(weights[case])
    network = networks.flow_attention
    about = json.loads(files["graphs.json"].read_text(encoding="utf-8"))
    assert about["dims"] == networks.dims.as_json()
    size_hw = tuple(about["coarse_hw"])
    for name, path in files.items():
        if name.endswith(".onnx"):
            model = onnx.load(path)
            onnx.checker.check_model(model)
            assert {one.domain for one in model.graph.node} == {""}, "operators of ONNX alone"
            shapes = [one.type.tensor_type.shape.dim for one in model.graph.input]
            assert all(side.dim_value > 0 for shape in shapes for side in shape)

    image, mask, body = person()
    I_r = torch.nn.functional.interpolate(to_network(image[None]), size_hw)
    matte_r = torch.nn.functional.interpolate(mask_to_network(mask[None]), size_hw)
    poses = PoseBatch.of([body]).shrunk(HEIGHT / size_hw[0])
    poses_t = targets(1).shrunk(HEIGHT / size_hw[0])
    S, J = ({"r": one(poses.joints, *size_hw), "t": one(poses_t.joints, *size_hw)}
            for one in (heat_maps, joint_map))  # fmt: skip
    with torch.no_grad():
        prior = prior_of(network.prior, I_r, matte_r, poses)
        prior_t = prior.at(poses_t) if prior else None
        encoded = network.encode_reference(I_r, S["r"], J["r"])
        made = network.planned(encoded, S["t"], J["t"], prior_t)

    encode = open_graph("onnx", files["encode.onnx"].read_bytes(), 1)
    given = dict(zip(REFERENCE, (I_r, S["r"], J["r"])))
    state = encode.run({name: one.contiguous().numpy() for name, one in given.items()})
    assert tuple(state) == state_names(network)
    close(state["F_r_8"], encoded.F_r_8)

    inputs = {"joints_t": poses_t.joints, "J_t": J["t"]}
    if prior_t is not None:
        inputs |= {"known": prior_t.inputs(), "flow_4": prior_t.flow_4}
    arrays = {name: one.contiguous().numpy() for name, one in inputs.items()}
    got = open_graph("onnx", files["draw.onnx"].read_bytes(), 1).run(arrays | state)
    wanted = made if made.plan is None else made.plan
    for name, one in got.items():
        close(one, getattr(wanted, name))


def close(got: np.ndarray, wanted: torch.Tensor) -> None:
    assert np.abs(got - wanted.numpy()).max() < 1e-3 * max(float(wanted.abs().max()), 1)


@pytest.mark.parametrize(
    "wanted, device, precision, there, gives",
    [
        ("auto", "cpu", "fp32", BESIDE_TORCH, "openvino"),
        ("auto", "cpu", "fp32", ("onnx",), "onnx"),
        ("auto", "cpu", "fp32", (), "torch"),
        ("auto", "cuda", "fp32", BESIDE_TORCH, "torch"),
        ("auto", "cpu", "bf16", BESIDE_TORCH, "torch"),
        ("torch", "cpu", "fp32", BESIDE_TORCH, "torch"),
        ("onnx", "cpu", "fp32", BESIDE_TORCH, "onnx"),
    ],
)
def test_the_fastest_runtime_that_is_installed_and_fits_is_taken_and_said(
    wanted, device, precision, there, gives, monkeypatch, caplog
):
    monkeypatch.setattr(choice, "is_installed", lambda name: name in ("torch", *there))
    with caplog.at_level(logging.INFO, "dancepipe"):
        assert pick_runtime(wanted, device, precision) == gives
    (line,) = caplog.messages
    assert line.startswith(f"runtime: {choice.PACKAGES[gives]} ") and precision in line
    is_slower = device == "cpu" and "openvino" not in there
    assert ("pip install 'dancepipe[openvino]'" in line) == is_slower


def test_a_runtime_that_is_not_there_or_does_not_fit_is_one_line(monkeypatch):
    monkeypatch.setattr(choice, "is_installed", lambda name: False)
    for name in BESIDE_TORCH:
        with pytest.raises(MissingExtraError, match=rf"pip install 'dancepipe\[{name}\]'"):
            pick_runtime(name, "cpu", "fp32")
    with pytest.raises(ConfigError, match="works on the CPU in fp32.*cuda in fp32.*torch"):
        pick_runtime("openvino", "cuda", "fp32")
    with pytest.raises(ConfigError, match="cpu in bf16"):
        pick_runtime("onnx", "cpu", "bf16")
    with pytest.raises(ConfigError, match="unknown runtime 'tvm'"):
        pick_runtime("tvm", "cpu", "fp32")


def test_export_from_the_command_line(tmp_path, capsys):
    out = tmp_path / "onnx"
    assert main(["export", "live-256", "-o", str(out)]) == 0
    names = {path.name for path in out.iterdir()}
    assert names == {"encode.onnx", "draw.onnx", "graphs.json"}
    shown = capsys.readouterr().out
    assert all(name in shown for name in names)
    before = {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
    for arguments, words in (
        (("live-256", "-o", str(out)), "overwrite"),
        (("live-256",), "export lacks -o"),
        (("body", "-o", str(out)), "no networks that can be exported"),
    ):
        assert main(["export", *arguments]) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert words in line
    assert before == {path.name: path.stat().st_mtime_ns for path in out.iterdir()}
