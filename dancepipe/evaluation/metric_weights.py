"""Weights of the networks that metrics need: where they are looked for, how they are fetched, and
that they are the right ones.

A file counts only when its SHA-256 begins as published: a metric with other weights is another
metric. Where weights are absent the metric is not available, with the reason.
"""

import hashlib
import logging
import os
import urllib.error
from dataclasses import dataclass
from pathlib import Path

from dancepipe.errors import WeightsError, WeightsMissingError
from dancepipe.files.whole_file import WholeFile, make_folder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class MetricWeights:
    """One published file. sha256_start: as many digits as are published, in torch's names eight."""

    file_name: str
    sha256_start: str
    url: str
    megabytes: int
    licence: str


KNOWN = {
    "inception": MetricWeights(
        "weights-inception-2015-12-05-6726825d.pth",
        "6726825d",
        "https://github.com/toshas/torch-fidelity/releases/download/v0.2.0/weights-inception-2015-12-05-6726825d.pth",
        95,
        "Apache-2.0",
    ),
    "alex": MetricWeights(
        "alexnet-owt-7be5be79.pth",
        "7be5be79",
        "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth",
        244,
        "BSD-3-Clause",
    ),
    "vgg": MetricWeights(
        "vgg16-397923af.pth",
        "397923af",
        "https://download.pytorch.org/models/vgg16-397923af.pth",
        553,
        "BSD-3-Clause",
    ),
    "identity": MetricWeights(
        "person_reid_youtu_2021nov.onnx",
        "0579683334d4b9440221606dcb461656dd0dc64143b18f48faedaced9b4f580d",
        "https://github.com/opencv/opencv_zoo/raw/main/models/person_reid_youtureid/person_reid_youtu_2021nov.onnx",
        107,
        "Apache-2.0",
    ),
}


def find_metric_weights(name: str, folder: Path | None, *, fetch: bool = False) -> Path:
    """The checked file of that name: in `folder` when one is given, else in torch's download cache;
    fetched there on request.

    WeightsMissingError when it is absent, WeightsError when it is another file or cannot be
    fetched.
    """
    known = KNOWN[name]
    place = (Path(folder) if folder is not None else download_cache()) / known.file_name
    # Without the folder's name: the reason goes into scores.json, which is the same everywhere.
    where = (
        "the folder named by --metric-weights"
        if folder is not None
        else "torch's download cache (dancepipe doctor names the folder)"
    )
    if not os.path.isfile(place):
        if not fetch:
            raise WeightsMissingError(
                f"no {known.file_name} in {where}; put it there ({known.url}), or run once with "
                "--fetch"
            )
        _download(known, place)
    digest = sha256_of(place)
    if not digest.startswith(known.sha256_start):
        raise WeightsError(
            f"{known.file_name} in {where} is not the published file: its SHA-256 begins with "
            f"{digest[:8]}, not {known.sha256_start[:8]}; "
            "delete it and get it anew"
        )
    return place


def read_state(path: Path) -> dict:
    """The state dict in a .pth file, unpickled as tensors only. WeightsError when it is damaged."""
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file can make the reader raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"cannot read {path}: {reason}; delete it and get it anew") from error


def sha256_of(path: Path) -> str:
    """Hexadecimal SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while block := file.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def download_cache() -> Path:
    """Torch's own folder for downloaded weights (TORCH_HOME)."""
    import torch

    return Path(torch.hub.get_dir()) / "checkpoints"


def _download(known: MetricWeights, place: Path) -> None:
    import torch

    log.info(f"fetching {known.url} ({known.megabytes} MB, {known.licence})")
    make_folder(place.parent)
    try:
        with WholeFile(place, overwrite=True) as whole:
            torch.hub.download_url_to_file(
                known.url, str(whole.part), hash_prefix=known.sha256_start, progress=False
            )
    except (urllib.error.URLError, OSError, RuntimeError) as error:
        reason = str(getattr(error, "reason", "") or error) or type(error).__name__
        raise WeightsError(
            f"cannot fetch {known.url} ({reason}); download it elsewhere and name its folder "
            "with --metric-weights"
        ) from error
