"""Inception behind clean-fid's resizing and LPIPS: equal to the packages they come from, with
random weights in the published layout."""

import numpy as np
import pytest
import torch
from metric_networks import publish, write_random_alexnet, write_random_inception
from PIL import Image

from dancepipe.errors import ConfigError, WeightsError, WeightsMissingError
from dancepipe.evaluation.features import open_inception, open_lpips, resized_for_inception


def pictures(count: int, side: int, seed: int = 0) -> torch.Tensor:
    small = np.random.default_rng(seed).integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    return torch.from_numpy(
        np.stack(
            [
                np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BICUBIC))
                for one in small
            ]
        )
    )


@pytest.mark.parametrize("side", [64, 176, 256, 299, 512])
def test_resizing_is_clean_fids(side):
    """clean-fid: each channel as floats through Pillow's bicubic filter, clipped, not rounded."""
    picture = pictures(1, side)
    planes = [
        Image.fromarray(picture[0, :, :, c].numpy().astype(np.float32), mode="F") for c in range(3)
    ]
    wanted = np.stack(
        [
            np.asarray(plane.resize((299, 299), Image.Resampling.BICUBIC)).clip(0, 255)
            for plane in planes
        ]
    )
    assert np.abs(resized_for_inception(picture)[0].numpy() - wanted).max() < 2e-3


def test_inception_is_torch_fidelitys(tmp_path, monkeypatch):
    fidelity = pytest.importorskip("torch_fidelity.feature_extractor_inceptionv3")
    path = write_random_inception(tmp_path, monkeypatch)
    inception = open_inception(tmp_path, "cpu")
    picture = pictures(2, 299)  # at 299 px its own resizing does nothing
    theirs = fidelity.FeatureExtractorInceptionV3(
        "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(path)
    )
    (wanted,) = theirs(picture.permute(0, 3, 1, 2).contiguous())
    torch.testing.assert_close(inception(picture), wanted, atol=1e-5, rtol=1e-5)
    assert inception(picture).shape == (2, 2048) and path.name in inception.identity


def test_lpips_is_the_packages(tmp_path, monkeypatch):
    lpips = pytest.importorskip("lpips")
    path = write_random_alexnet(tmp_path, monkeypatch)
    ours = open_lpips("alex", tmp_path, "cpu")
    with pytest.warns(UserWarning):  # it calls torchvision in a way of long ago
        theirs = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    state = torch.load(path, weights_only=True)
    theirs.net.load_state_dict(
        {name: state["features." + name.split(".", 1)[1]] for name in theirs.net.state_dict()}
    )
    first, second = pictures(3, 64, 1), pictures(3, 64, 2)
    with torch.no_grad():
        wanted = theirs(
            *(one.permute(0, 3, 1, 2).float() / 127.5 - 1 for one in (first, second))
        ).flatten()
    torch.testing.assert_close(
        ours.distance(ours.features(first), ours.features(second)), wanted, atol=1e-6, rtol=1e-5
    )
    assert ours.distance(ours.features(first), ours.features(first)).abs().max() == 0


def test_mask_lpips_does_not_see_the_background(tmp_path, monkeypatch):
    pytest.importorskip("lpips")
    write_random_alexnet(tmp_path, monkeypatch)
    lpips = open_lpips("alex", tmp_path, "cpu")
    first = pictures(1, 96, 1)
    mask = torch.zeros(1, 96, 96, dtype=torch.uint8)
    mask[:, 30:60, 30:60] = 255
    behind, inside = first.clone(), first.clone()
    behind[:, :20] = 255 - behind[:, :20]
    inside[:, 40:50, 40:50] = 255 - inside[:, 40:50, 40:50]
    own = lpips.features(first, mask)
    assert lpips.distance(own, lpips.features(behind, mask)).abs().max() == 0
    assert lpips.distance(own, lpips.features(inside, mask)).min() > 0
    assert lpips.distance(lpips.features(first), lpips.features(behind)).min() > 0


def test_pictures_too_small_for_lpips_are_named(tmp_path, monkeypatch):
    pytest.importorskip("lpips")
    write_random_alexnet(tmp_path, monkeypatch)
    lpips = open_lpips("alex", tmp_path, "cpu")
    assert all(torch.isfinite(layer).all() for layer in lpips.features(pictures(1, 31)))
    with pytest.raises(ConfigError, match="30 x 30 is too small for LPIPS .needs 31 px"):
        lpips.features(pictures(1, 30))


def test_absent_and_unfitting_weights_are_named(tmp_path, monkeypatch):
    pytest.importorskip("torch_fidelity")
    pytest.importorskip("lpips")
    for opener in (
        lambda: open_inception(tmp_path, "cpu"),
        lambda: open_lpips("alex", tmp_path, "cpu"),
        lambda: open_lpips("vgg", tmp_path, "cpu"),
    ):
        with pytest.raises(WeightsMissingError, match="--fetch"):
            opener()
    publish({"features.0.weight": torch.zeros(3)}, "alex", tmp_path, monkeypatch)
    with pytest.raises(WeightsError, match="does not fit LPIPS: features.0.weight"):
        open_lpips("alex", tmp_path, "cpu")
    publish({"fc.weight": torch.zeros(3)}, "inception", tmp_path, monkeypatch)
    with pytest.raises(WeightsError, match="does not fit Inception"):
        open_inception(tmp_path, "cpu")
