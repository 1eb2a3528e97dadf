"""Weight files of Inception and AlexNet in the published layout, with random numbers in them,
and a re-identifier that sees colours."""

import hashlib
import io
from functools import cache
from pathlib import Path

import torch
from onnx_bytes import onnx_model, onnx_node

from dancepipe.evaluation import metric_weights
from dancepipe.evaluation.metric_weights import MetricWeights


def write_random_inception(folder: Path, monkeypatch) -> Path:
    return publish(random_inception(), "inception", folder, monkeypatch)


@cache
def random_inception() -> dict:
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unfilled(FeatureExtractorInceptionV3):
        def load_state_dict(self, state):
            return None

    empty = io.BytesIO()
    torch.save({}, empty)
    empty.seek(0)
    with torch.device("meta"):  # its own initialisation takes seconds
        shapes = Unfilled(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=empty
        ).state_dict()
    random = torch.Generator().manual_seed(0)
    return {name: _filled(name, value, random) for name, value in shapes.items()}


def _filled(name: str, like: torch.Tensor, random: torch.Generator) -> torch.Tensor:
    if like.ndim == 4:  # features of size 1 or so
        return torch.randn(like.shape, generator=random) * (2 / like[0].numel()) ** 0.5
    return (
        torch.ones(like.shape)
        if name.endswith(("weight", "var"))
        else torch.zeros(like.shape, dtype=like.dtype)
    )


def write_random_alexnet(folder: Path, monkeypatch) -> Path:
    from torchvision.models import alexnet

    with torch.device("meta"):  # its classifier, 58 million numbers, is not needed
        shapes = alexnet(weights=None).features.state_dict()
    random = torch.Generator().manual_seed(0)
    state = {
        f"features.{name}": 0.05 * torch.randn(value.shape, generator=random)
        for name, value in shapes.items()
    }
    return publish(state, "alex", folder, monkeypatch)


def write_colour_identity(folder: Path, monkeypatch, data: bytes | None = None) -> Path:
    """A re-identifier of one operation: the features of a body are its mean colour, as the
    network is given it."""
    mean = onnx_node("GlobalAveragePool", "input", "features")
    return publish(
        data or onnx_model([mean], {"input": (1, 3, 256, 128)}, {"features": (1, 3, 1, 1)}),
        "identity",
        folder,
        monkeypatch,
    )


def publish(content: dict | bytes, name: str, folder: Path, monkeypatch) -> Path:
    """Writes the file (a state dict, or bytes) and makes its digest the one that is looked for."""
    folder.mkdir(parents=True, exist_ok=True)
    known = metric_weights.KNOWN[name]
    path = folder / known.file_name
    path.write_bytes(content) if isinstance(content, bytes) else torch.save(content, path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    monkeypatch.setitem(
        metric_weights.KNOWN,
        name,
        MetricWeights(known.file_name, digest[:8], known.url, 0, known.licence),
    )
    return path
