"""The networks of FID, KID and LPIPS: torch-fidelity's Inception behind clean-fid's resizing, and
the lpips package.

clean-fid resizes with Pillow's antialiased bicubic filter on floats, without rounding, and feeds
Inception (pool3, 2,048 features, the TensorFlow weights of 2015-12-05) with (x - 128) / 128.
torch-fidelity holds the same weights as a state dict; its own entry rounds to uint8 and resizes as
TensorFlow 1 did, so the network is entered behind that.
"""

import io
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.errors import ConfigError, MissingExtraError, WeightsError
from dancepipe.evaluation.metric_weights import find_metric_weights, read_state

if TYPE_CHECKING:
    from lpips import LPIPS

_SIDE_PX = 299
_FEWEST_PX = {"alex": 31, "vgg": 16}  # less leaves nothing after the last pooling
_STAGES = (
    "Conv2d_1a_3x3",
    "Conv2d_2a_3x3",
    "Conv2d_2b_3x3",
    "MaxPool_1",
    "Conv2d_3b_1x1",
    "Conv2d_4a_3x3",
    "MaxPool_2",
    "Mixed_5b",
    "Mixed_5c",
    "Mixed_5d",
    "Mixed_6a",
    "Mixed_6b",
    "Mixed_6c",
    "Mixed_6d",
    "Mixed_6e",
    "Mixed_7a",
    "Mixed_7b",
    "Mixed_7c",
    "AvgPool",
)


def resized_for_inception(pictures: Tensor) -> Tensor:
    """uint8 (B, H, W, 3) -> float (B, 3, 299, 299) in [0, 255]: bicubic (a = -0.5), antialiased,
    clipped, not rounded."""
    planes = pictures.permute(0, 3, 1, 2).float()
    if planes.shape[2:] == (_SIDE_PX, _SIDE_PX):
        return planes
    return F.interpolate(
        planes, (_SIDE_PX, _SIDE_PX), mode="bicubic", antialias=True, align_corners=False
    ).clamp(0, 255)


class Inception:
    """uint8 pictures (B, H, W, 3) -> features (B, 2048)."""

    def __init__(self, network: torch.nn.Module, device: str, identity: str):
        """identity: names weights and resizing, for caches and protocols."""
        self._stages = (
            torch.nn.Sequential(*(getattr(network, name) for name in _STAGES)).to(device).eval()
        )
        self._device, self.identity = device, identity

    @torch.inference_mode()
    def __call__(self, pictures: Tensor) -> Tensor:
        planes = resized_for_inception(pictures.to(self._device))
        return self._stages((planes - 128) / 128).flatten(1).float().cpu()


def open_inception(folder: Path | None, device: str, *, fetch: bool = False) -> Inception:
    """MissingExtraError, WeightsMissingError, WeightsError when it cannot be had."""
    try:
        from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3
    except ImportError as error:
        raise MissingExtraError("torch-fidelity", "metrics", "FID and KID") from error
    path = find_metric_weights("inception", folder, fetch=fetch)
    # the package would unpickle anything; what it gets here are tensors that were read as tensors
    safe = io.BytesIO()
    torch.save(read_state(path), safe)
    safe.seek(0)
    try:
        network = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=safe
        )
    except RuntimeError as error:
        raise WeightsError(
            f"{path} does not fit Inception: {str(error).splitlines()[0]}; delete it and get it "
            "anew"
        ) from error
    return Inception(network, device, f"{path.name}, clean bicubic 299")


class Lpips:
    """LPIPS v0.1 (Zhang et al. 2018) of one real picture against any number of fakes, the real
    one's features taken once."""

    def __init__(self, model: "LPIPS", device: str, identity: str, fewest_px: int):
        self._model = model.to(device).eval().requires_grad_(False)
        self._device, self.identity, self._fewest_px = device, identity, fewest_px

    @torch.inference_mode()
    def features(self, pictures: Tensor, masks: Tensor | None = None) -> list[Tensor]:
        """uint8 (B, H, W, 3) -> unit-length features of each layer. masks (uint8 (B, H, W)): what
        lies outside becomes mid-grey.

        ConfigError for pictures that are smaller than the network can look at.
        """
        from lpips import normalize_tensor

        if min(pictures.shape[1:3]) < self._fewest_px:
            height, width = pictures.shape[1:3]
            raise ConfigError(
                f"a picture of {width} x {height} is too small for LPIPS (needs "
                f"{self._fewest_px} px); "
                "give larger ones, or leave lpips and mask-lpips out of --metrics"
            )

        x = pictures.to(self._device).permute(0, 3, 1, 2).float() / 127.5 - 1
        if masks is not None:
            x = x * (masks.to(self._device)[:, None].float() / 255)
        return [normalize_tensor(layer) for layer in self._model.net(self._model.scaling_layer(x))]

    @torch.inference_mode()
    def distance(self, first: list[Tensor], second: list[Tensor]) -> Tensor:
        """(B,) from two sets of features."""
        layers = zip(self._model.lins, first, second, strict=True)
        total = sum(line((one - other).square()).mean((1, 2, 3)) for line, one, other in layers)
        assert isinstance(total, Tensor)  # there are layers
        return total.cpu()


def open_lpips(
    network: str,
    folder: Path | None,
    device: str,
    *,
    fetch: bool = False,
) -> Lpips:
    """network: "alex" or "vgg". The linear heads come with the package. MissingExtraError,
    WeightsMissingError, WeightsError."""
    try:
        import lpips
    except ImportError as error:
        raise MissingExtraError("lpips", "metrics", "LPIPS") from error
    path = find_metric_weights(network, folder, fetch=fetch)
    state = read_state(path)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", UserWarning
        )  # the package calls torchvision in a way of long ago
        model = lpips.LPIPS(net=network, version="0.1", pnet_rand=True, verbose=False)
    # The package's slices keep torchvision's layer numbers: slice2.4.weight is features.4.weight.
    wanted = model.net.state_dict()
    names = {name: "features." + name.split(".", 1)[1] for name in wanted}
    for name, source in names.items():
        if source not in state or state[source].shape != wanted[name].shape:
            raise WeightsError(
                f"{path} does not fit LPIPS: {source} is absent or of another shape; delete it "
                "and get it anew"
            )
    model.net.load_state_dict({name: state[source] for name, source in names.items()})
    return Lpips(model, device, f"lpips {network} v0.1, {path.name}", _FEWEST_PX[network])
