"""FID and KID of two folders against the package clean-fid, both with the same random weights: its
reading, resizing and network.

clean-fid's own file is TorchScript, network and weights in one; here the package's second copy of
that network, written out in Python, takes its place.
"""

import numpy as np
import pytest
import torch
from metric_networks import random_inception, write_random_inception
from PIL import Image

from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import EvaluateOptions

pytest.importorskip("torch_fidelity", reason="needs the extra metrics")
clean = pytest.importorskip("cleanfid.fid", reason="needs the package clean-fid")


@pytest.fixture
def folders(tmp_path):
    """Two sets of 8 pictures, one smaller and one larger than Inception's 299 px, the second set
    lighter."""
    random = np.random.default_rng(0)
    for folder, lighter in (("real", 0), ("fake", 30)):
        (tmp_path / folder).mkdir()
        for index in range(8):
            small = Image.fromarray((random.integers(0, 226, (8, 8, 3)) + lighter).astype(np.uint8))
            small.resize((128, 160) if index % 2 else (352, 320), Image.Resampling.BICUBIC).save(
                tmp_path / folder / f"{index:02}.png"
            )
    return tmp_path


@pytest.fixture
def clean_network(monkeypatch):
    from cleanfid import inception_pytorch
    from cleanfid.inception_torchscript import InceptionV3W

    monkeypatch.setattr(
        inception_pytorch, "load_state_dict_from_url", lambda *_, **__: random_inception()
    )
    blocks = inception_pytorch.InceptionV3([3], resize_input=False, normalize_input=False).blocks
    wrapper = InceptionV3W.__new__(InceptionV3W)  # its own constructor downloads
    torch.nn.Module.__init__(wrapper)
    wrapper.layers, wrapper.resize_inside = (
        torch.nn.Sequential(*(layer for block in blocks for layer in block)),
        False,
    )
    return wrapper.eval()


@pytest.mark.filterwarnings(
    "ignore:.*pretrained", "ignore:.*weight enum", "ignore:Matrix is singular", "ignore:The `disp`"
)
def test_two_folders_have_the_distances_of_clean_fid(folders, clean_network, monkeypatch):
    def features(folder):
        return clean.get_folder_features(
            str(folder),
            clean_network,
            num_workers=0,
            batch_size=4,
            device=torch.device("cpu"),
            mode="clean",
            verbose=False,
        )

    with torch.no_grad():
        real, fake = features(folders / "real"), features(folders / "fake")
    try:
        fid, kid = clean.fid_from_feats(real, fake), clean.kernel_distance(real, fake)
    except TypeError as error:
        pytest.skip(f"this clean-fid does not work with this SciPy: {error}")
    assert fid > 1, "a distance that could be missed"

    write_random_inception(folders / "weights", monkeypatch)
    chosen = EvaluateOptions(
        metrics="fid,kid",
        small=True,
        metric_weights=str(folders / "weights"),
        cache="none",
        bootstrap=0,
        device="cpu",
    )
    ours = evaluate(real=folders / "real", fake=folders / "fake", options=chosen).methods["fake"]
    assert ours["fid"].value == pytest.approx(fid, abs=1e-3)
    assert ours["kid"].value == pytest.approx(kid, abs=1e-5)
