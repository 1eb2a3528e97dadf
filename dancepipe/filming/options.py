"""The options of dancers."""

from dataclasses import dataclass

from dancepipe.config import option


@dataclass(frozen=True)
class RenderDancersOptions:
    identities: int = option(100, "how many people", minimum=1)
    frames: int = option(24, "pictures of each person", minimum=2)
    seed: int = option(0, "another seed gives other people and movements", minimum=0)
    size_px: int = option(256, "side of the square pictures", minimum=32, maximum=4096)
    assets: str | None = option(
        None, "folder of the asset pack; without it the environment variable DANCEPIPE_DANCERS"
    )
    fabrics: str | None = option(
        None, "folder of photographs whose patches are used as fabrics beside the computed ones"
    )
    hard: bool = option(
        False, "only hard poses: raised and crossed arms, crossed legs, squats, kicks, lunges"
    )
    around: bool = option(
        False,
        "half of the shots from any side, another one for each picture, so that the light on the "
        "person differs too: pairs of fronts, profiles and backs, for training",
    )
    degraded: bool = option(
        False,
        "camera noise, blur, compression, ragged masks and joints as detectors find them, for "
        "training; off: exact",
    )
    detected_share: float = option(
        0.0, "share of the pictures whose joints and mask are those that the default person "
             "finder (mediapipe) finds, for training; "
        "where it finds nobody the picture keeps its own", minimum=0, maximum=1,
    )  # fmt: skip
    truth: bool = option(
        False,
        "also write exact joints, flow to the first picture, its visibility and part labels to "
        "truth/NAME.npz",
    )
    test_share: float = option(
        0.1, "share of the identities that goes to the test split", minimum=0, maximum=1
    )
    lossless: bool = option(False, "PNG pictures instead of JPEG (five times larger)")
    samples: int = option(2, "samples per pixel along each side", minimum=1)
    workers: int = option(0, "processes; 0: one per CPU core", minimum=0)
