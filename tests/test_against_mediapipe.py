"""Our reading of the networks beside mediapipe 0.10.14's own graphs, where that is installed."""

import importlib.metadata
import sys
from pathlib import Path

import numpy as np
import pytest
from people import SAMPLES, dancer_frames
from PIL import Image

sys.path.insert(0, str(Path(__file__).parent.parent / "tools"))

try:
    found = importlib.metadata.version("mediapipe")
except importlib.metadata.PackageNotFoundError:
    found = "none"
pytestmark = pytest.mark.skipif(found != "0.10.14", reason="needs mediapipe 0.10.14")


@pytest.fixture(scope="module")
def stages():
    from compare_mediapipe import Stages

    stages = Stages()
    for frame in [*dancer_frames()[::45], np.array(Image.open(SAMPLES / "reference.png"))[..., :3]]:
        stages.compare(frame)
    return stages


def test_the_same_people_are_found(stages):
    assert stages.pictures == 5 and stages.unlike == 0


@pytest.mark.parametrize(
    ("stage", "most"),
    [
        ("detector px", 0.01),
        ("detector score", 1e-4),
        ("next region px", 0.1),
        ("landmarks px", 0.1),
        ("depth px", 0.5),
        ("visibility", 0.01),
        ("presence", 0.01),
    ],
)
def test_every_stage_gives_mediapipes_numbers(stages, stage, most):
    assert len(stages.parts[stage]) >= 5
    assert np.percentile(stages.parts[stage], 95) < most


def test_masks_lie_where_mediapipe_lays_them(stages):
    assert min(stages.parts["mask IoU"]) > 0.995
