"""Weights of metrics: found where they are, refused when they are others, never replaced."""

import hashlib
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
import torch
from hearing import hearing

from dancepipe.errors import WeightsError, WeightsMissingError
from dancepipe.evaluation import metric_weights
from dancepipe.evaluation.metric_weights import MetricWeights, find_metric_weights, read_state


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A published file on a loopback server, known as "alex"."""
    folder = tmp_path / "server"
    folder.mkdir()
    torch.save({"features.0.weight": torch.zeros(2)}, folder / "net.pth")
    digest = hashlib.sha256((folder / "net.pth").read_bytes()).hexdigest()
    server = ThreadingHTTPServer(
        ("127.0.0.1", 0), partial(SimpleHTTPRequestHandler, directory=str(folder))
    )
    threading.Thread(target=server.serve_forever, daemon=True).start()
    url = f"http://127.0.0.1:{server.server_address[1]}/net.pth"
    monkeypatch.setitem(
        metric_weights.KNOWN, "alex", MetricWeights("net.pth", digest[:8], url, 1, "none")
    )
    yield folder / "net.pth"
    server.shutdown()
    server.server_close()


def test_every_published_file_has_its_digest():
    for known in metric_weights.KNOWN.values():
        assert known.url.endswith("/" + known.file_name) and (
            known.sha256_start in known.file_name or len(known.sha256_start) == 64
        )


def test_absent_weights_are_missing_and_nothing_is_fetched(tmp_path, published):
    with pytest.raises(
        WeightsMissingError,
        match="no net.pth in the folder named by --metric-weights; put it there .*--fetch",
    ):
        find_metric_weights("alex", tmp_path / "empty")
    assert not (tmp_path / "empty").exists()


def test_fetched_on_request_and_found_again(tmp_path, published):
    said = []
    with hearing(said.append):
        path = find_metric_weights("alex", tmp_path / "weights", fetch=True)
    assert path.read_bytes() == published.read_bytes() and "net.pth" in said[0]
    assert find_metric_weights("alex", tmp_path / "weights") == path
    assert read_state(path)["features.0.weight"].shape == (2,)


def test_other_weights_are_refused(tmp_path, published):
    (tmp_path / "net.pth").write_bytes(b"other weights")
    with pytest.raises(WeightsError, match="is not the published file"):
        find_metric_weights("alex", tmp_path)


def test_a_damaged_download_leaves_nothing(tmp_path, published):
    published.write_bytes(published.read_bytes()[:-5])
    with pytest.raises(WeightsError, match="cannot fetch .*--metric-weights"):
        find_metric_weights("alex", tmp_path / "weights", fetch=True)
    assert list((tmp_path / "weights").iterdir()) == []


def test_a_file_that_is_no_state_dict_is_an_error(tmp_path):
    (tmp_path / "net.pth").write_bytes(b"not a zip file")
    with pytest.raises(WeightsError, match="cannot read"):
        read_state(tmp_path / "net.pth")
