"""The feature network for eq. 3, 7 and 8 by its name; VGG-19's five taps, relu1_1 to relu5_1.

Pictures come in as the networks make them, in [-1, 1], and are normalised here
the way the VGG weights were trained.
"""

import logging
import os
import pickle
import socket
import urllib.error
from collections.abc import Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from torch import Tensor, nn
from torchvision.models.vgg import VGG19_Weights, cfgs, make_layers

from dancepipe.errors import ConfigError, WeightsError
from dancepipe.losses.taps import FeatureTaps, Layers

log = logging.getLogger(__name__)

VGG19 = VGG19_Weights.IMAGENET1K_V1
VGG19_URL = VGG19.url
STALL_SECONDS = 30.0
SOURCES = "vgg19 (download), vgg19:FILE (.pth or .safetensors), pose, random, none"

_TAPS: Mapping[Layers, tuple[int, ...]] = {  # torchvision's indices
    "first": (1, 6, 11, 20, 29),  # relu1_1, relu2_1, relu3_1, relu4_1, relu5_1
    "second": (3, 8, 13, 22, 31),  # relu1_2, relu2_2, relu3_2, relu4_2, relu5_2
}


class Vgg19Taps(FeatureTaps):
    """The five maps lie at H, H/2, H/4, H/8 and H/16."""

    mean: Tensor
    std: Tensor

    def __init__(self, layers: Layers = "first"):
        super().__init__()
        self._taps = _TAPS[layers]
        # torchvision's trunk without its classifier, which holds 86 % of the weights, under
        # torchvision's name.
        self.features = make_layers(cfgs["E"])[: self._taps[-1] + 1]
        normalise = VGG19.transforms()
        self.register_buffer(
            "mean", torch.tensor(normalise.mean).view(1, 3, 1, 1), persistent=False
        )
        self.register_buffer("std", torch.tensor(normalise.std).view(1, 3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        x = ((images + 1) / 2 - self.mean) / self.std
        taps = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in self._taps:
                taps.append(x)
        return tuple(taps)


def open_perceptual(
    source: str, device: torch.device | str = "cpu", layers: Layers = "first"
) -> FeatureTaps | None:
    """The feature network by name: "vgg19", "vgg19:FILE", "pose", "random", or "none" (returns
    None). layers: of VGG-19; "pose" has its own.

    ConfigError for another name; WeightsError when the weights cannot be had. Never another source
    than the one named.
    """
    if source == "none":
        return None
    if source == "pose":
        from dancepipe.losses.pose_taps import PoseTaps

        return PoseTaps().to(device)
    if source == "random":
        log.info(
            "perceptual features: VGG-19 with random weights (seed 0), not trained on anything"
        )
        return random_vgg19(layers=layers).to(device)
    if source == "vgg19":
        return _with_weights(download_vgg19(), VGG19_URL, layers).to(device)
    if source.startswith("vgg19:") and source != "vgg19:":
        path = Path(source.removeprefix("vgg19:"))
        return _with_weights(_read_state(path), path, layers).to(device)
    raise ConfigError(f"perceptual features {source!r} are unknown; choose one of: {SOURCES}")


def random_vgg19(seed: int = 0, layers: Layers = "first") -> Vgg19Taps:
    """He-initialised features, the same for the same seed; the global random state is left
    alone."""
    with torch.random.fork_rng(devices=[]):  # layers draw first weights, which are overwritten
        network = Vgg19Taps(layers)
    random = torch.Generator().manual_seed(seed)
    for layer in network.features:
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, generator=random)
            assert layer.bias is not None  # VGG's have one
            nn.init.zeros_(layer.bias)
    return network


@contextmanager
def _stall_limit(seconds: float):
    """torch.hub opens its connection with no time limit of its own and takes none."""
    before = socket.getdefaulttimeout()
    socket.setdefaulttimeout(seconds)
    try:
        yield
    finally:
        socket.setdefaulttimeout(before)


def download_vgg19(
    url: str = VGG19_URL, stall_seconds: float = STALL_SECONDS
) -> Mapping[str, Tensor]:
    """torchvision's weights (548 MB, once) through torch.hub's cache. WeightsError when they
    cannot be had."""
    try:
        with _stall_limit(stall_seconds):
            return torch.hub.load_state_dict_from_url(
                url, map_location="cpu", check_hash=True, weights_only=True
            )
    except (
        urllib.error.URLError,
        OSError,
        RuntimeError,
        EOFError,
        pickle.UnpicklingError,
    ) as error:
        reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        raise WeightsError(
            f"cannot get VGG-19 weights from {url} ({reason}); connect once, name a local file "
            "as vgg19:FILE, or choose random or none"
        ) from error


def _read_state(path: Path) -> Mapping[str, Tensor]:
    if not os.path.isfile(path):
        raise WeightsError(
            f"no VGG-19 weights at {path}; need torchvision's vgg19 as .pth or .safetensors"
        )
    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make either reader raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(
            f"cannot read VGG-19 weights {path}: {reason}; need a state dict of torchvision's vgg19"
        ) from error


def _with_weights(state: Mapping[str, Tensor], origin: Path | str, layers: Layers) -> Vgg19Taps:
    """Names as in torchvision's vgg19 (features.0.weight) or its features alone (0.weight); what
    lies beyond the last layer is ignored."""
    network = Vgg19Taps(layers)
    if not isinstance(state, Mapping):
        raise WeightsError(
            f"{origin} holds a {type(state).__name__}, not a state dict of torchvision's vgg19"
        )
    chosen = {}
    for name, wanted in network.state_dict().items():
        tensor = state.get(name, state.get(name.removeprefix("features.")))
        if not isinstance(tensor, Tensor):
            raise WeightsError(
                f"{origin} has no tensor {name}; need a state dict of torchvision's vgg19"
            )
        if tensor.shape != wanted.shape:
            raise WeightsError(
                f"{origin}: {name} has shape {tuple(tensor.shape)}, VGG-19 needs "
                f"{tuple(wanted.shape)}"
            )
        chosen[name] = tensor
    network.load_state_dict(chosen)
    return network
