"""VGG-19 weights from where they are said to be, or an error that says why not; and the pose
network's features as LiteRT computes them."""

import hashlib
import io
import socket
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import safetensors.torch
import torch
import torchvision
from ai_edge_litert.interpreter import Interpreter, OpResolverType
from hearing import hearing

from dancepipe.errors import ConfigError, WeightsError
from dancepipe.losses.perceptual import _with_weights, download_vgg19, open_perceptual, random_vgg19
from dancepipe.losses.pose_taps import PoseTaps
from dancepipe.person.blazepose.models import BODY, HAND_REGION, read_model

TORCHVISION_TAPS = (1, 6, 11, 20, 29)


@pytest.fixture(scope="module")
def torchvision_features():
    """torchvision's own VGG-19 layers with drawn weights."""
    torch.manual_seed(0)
    return torchvision.models.vgg.make_layers(torchvision.models.vgg.cfgs["E"]).eval()


def written(state, path):
    (safetensors.torch.save_file if path.suffix == ".safetensors" else torch.save)(state, path)
    return path


@pytest.mark.parametrize("name", ["vgg.pth", "vgg.safetensors"])
@pytest.mark.parametrize("prefix", ["features.", ""])
def test_a_local_file_gives_torchvisions_features(tmp_path, torchvision_features, name, prefix):
    state = {prefix + key: tensor for key, tensor in torchvision_features.state_dict().items()}
    state["classifier.0.bias"] = torch.zeros(3)  # the part nobody needs
    network = open_perceptual(f"vgg19:{written(state, tmp_path / name)}")
    assert {
        f"features.{key}" for key in torchvision_features.state_dict()
    } > network.state_dict().keys()
    images = torch.rand(1, 3, 32, 48) * 2 - 1
    taps = network(images)
    assert [tuple(tap.shape[1:]) for tap in taps] == [
        (64, 32, 48),
        (128, 16, 24),
        (256, 8, 12),
        (512, 4, 6),
        (512, 2, 3),
    ]
    x = torchvision.transforms.functional.normalize(
        (images + 1) / 2, [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]
    )
    with torch.no_grad():
        for tap, last in zip(taps, TORCHVISION_TAPS):
            torch.testing.assert_close(
                tap, torchvision_features[: last + 1](x), rtol=1e-4, atol=1e-5
            )


def test_random_is_announced_and_repeatable_and_disturbs_nothing():
    said = []
    before = torch.get_rng_state()
    with hearing(said.append):
        network = open_perceptual("random")
    assert len(said) == 1 and "random" in said[0]
    assert torch.equal(torch.get_rng_state(), before)
    first, again = (model.state_dict() for model in (network, random_vgg19()))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(
        first["features.0.weight"], random_vgg19(seed=1).state_dict()["features.0.weight"]
    )


def test_none_is_none():
    assert open_perceptual("none") is None


def test_features_are_frozen_but_let_gradients_through():
    network = random_vgg19()
    images = torch.zeros(1, 3, 16, 16, requires_grad=True)
    sum(tap.sum() for tap in network(images)).backward()
    assert images.grad.abs().max() > 0 and all(
        parameter.grad is None for parameter in network.parameters()
    )


@pytest.mark.parametrize("source", ["vgg16", "vgg19:", "Random", ""])
def test_unknown_names_are_refused_with_the_known_ones(source):
    with pytest.raises(ConfigError, match="vgg19:FILE"):
        open_perceptual(source)


def test_damaged_files_are_refused(tmp_path, torchvision_features):
    with pytest.raises(WeightsError, match="no VGG-19 weights at"):
        open_perceptual(f"vgg19:{tmp_path / 'absent.pth'}")
    for name in ("noise.pth", "noise.safetensors"):
        (tmp_path / name).write_bytes(b"this is no state dict" * 10)
        with pytest.raises(WeightsError, match="cannot read VGG-19 weights"):
            open_perceptual(f"vgg19:{tmp_path / name}")
    state = dict(torchvision_features.state_dict())
    short = {key: tensor for key, tensor in state.items() if key != "10.bias"}
    with pytest.raises(WeightsError, match="has no tensor features.10.bias"):
        open_perceptual(f"vgg19:{written(short, tmp_path / 'short.safetensors')}")
    thin = {**state, "0.weight": torch.zeros(32, 3, 3, 3)}
    with pytest.raises(
        WeightsError,
        match=r"features.0.weight has shape \(32, 3, 3, 3\), VGG-19 needs \(64, 3, 3, 3\)",
    ):
        open_perceptual(f"vgg19:{written(thin, tmp_path / 'thin.safetensors')}")
    with pytest.raises(WeightsError, match="holds a list, not a state dict"):
        open_perceptual(f"vgg19:{written([1, 2], tmp_path / 'list.pth')}")


class Trap:
    """Unpickling this would leave a trace."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_nothing_is_unpickled(tmp_path):
    torch.save({"features.0.weight": Trap(tmp_path / "trace")}, tmp_path / "trap.pth")
    with pytest.raises(WeightsError, match="cannot read VGG-19 weights"):
        open_perceptual(f"vgg19:{tmp_path / 'trap.pth'}")
    assert not (tmp_path / "trace").exists()


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty download cache."""
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    return tmp_path / "torch"


class Files(BaseHTTPRequestHandler):
    def __init__(self, files, *arguments):
        self.files = files
        super().__init__(*arguments)

    def do_GET(self):
        data = self.files.get(self.path)
        self.send_response(200 if data else 404)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        self.wfile.write(data or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    files = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Files, files))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield files, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_download_comes_from_the_address_and_is_checked(hub, server):
    files, address = server
    buffer = io.BytesIO()
    torch.save({"features.0.bias": torch.arange(4.0)}, buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8]
    files[f"/vgg19-{digest}.pth"] = files["/vgg19-deadbeef.pth"] = buffer.getvalue()
    state = download_vgg19(f"{address}/vgg19-{digest}.pth")
    assert state["features.0.bias"].tolist() == [0, 1, 2, 3]
    with pytest.raises(WeightsError, match="has no tensor features.0.weight"):
        _with_weights(state, "there", "first")
    with pytest.raises(WeightsError, match="invalid hash value"):
        download_vgg19(f"{address}/vgg19-deadbeef.pth")
    with pytest.raises(WeightsError, match="Not Found.*vgg19:FILE"):
        download_vgg19(f"{address}/vgg19-00000000.pth")
    assert [path.name for path in (hub / "hub" / "checkpoints").iterdir()] == [
        f"vgg19-{digest}.pth"
    ]


def test_offline_is_said_and_the_way_out_too(hub):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(
        WeightsError,
        match=r"Connection refused.*name a local file as vgg19:FILE, or choose random or none",
    ):
        download_vgg19(f"http://127.0.0.1:{port}/vgg19-dcbb9e9d.pth")


def test_a_server_that_never_answers_is_given_up(hub):
    before = socket.getdefaulttimeout()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        with pytest.raises(WeightsError, match="timed out"):
            download_vgg19(
                f"http://127.0.0.1:{silent.getsockname()[1]}/vgg19-dcbb9e9d.pth", stall_seconds=0.3
            )
    assert socket.getdefaulttimeout() == before


def test_pose_gives_the_features_that_litert_computes():
    """On another picture than the one by which the layers were told apart."""
    network = open_perceptual("pose")
    picture = np.random.default_rng(5).random((1, 256, 256, 3), np.float32)
    picture[:, 64:192, 96:160] = [0.9, 0.2, 0.1]
    interpreter = Interpreter(
        model_content=read_model(BODY),
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], picture)
    interpreter.invoke()
    images = (torch.from_numpy(picture).permute(0, 3, 1, 2) * 2 - 1).requires_grad_()
    taps = network(images)
    assert [256 // tap.shape[2] for tap in taps] == [2, 2, 4, 8, 16]
    for tap, place in zip(taps, network._taps):
        wanted = torch.from_numpy(interpreter.get_tensor(place)).permute(0, 3, 1, 2)
        assert wanted.std() > 0.1
        torch.testing.assert_close(tap.detach(), wanted, rtol=1e-3, atol=1e-3)
    taps[-1].mean().backward()
    assert images.grad.abs().max() > 0 and not list(network.parameters())


def test_pose_needs_a_backbone():
    with pytest.raises(WeightsError, match="is not a backbone"):
        PoseTaps(HAND_REGION)
