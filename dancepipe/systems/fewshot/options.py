"""The options of train that are this system's own: widths, rates and weights as published."""

from dataclasses import dataclass

from dancepipe.config import option
from dancepipe.systems.guided.options import POSE_HELP, POSES


@dataclass(frozen=True)
class FewshotOptions:
    pose: str = option("J", POSE_HELP, choices=POSES)
    nf: int = option(32, "channels of the first and last layers", minimum=1)
    levels: int = option(5, "how often the networks halve the picture", minimum=3, maximum=5)
    generated: int = option(
        4, "levels, the finest ones, whose weights are generated", minimum=1, maximum=4
    )
    flow_blocks: int = option(6, "residual blocks of the flow network", minimum=1)
    frames: int = option(1, "frames of a clip in a row; only 1, single frames, is there", minimum=1)
    learning_rate: float = option(2e-4, "Adam, generator", minimum=0)
    discriminator_rate: float = option(8e-4, "Adam, discriminators", minimum=0)
    beta1: float = option(0.0, "Adam's first beta (the second is 0.999)", minimum=0, maximum=0.9999)
    adversarial: float = option(1.0, "weight of D, a hinge loss", minimum=0)
    feature_matching: float = option(10.0, "weight of the L1 of D's features", minimum=0)
    perceptual: float = option(10.0, "weight of the L1 of perceptual features", minimum=0)
    face_adversarial: float = option(10.0, "weight of D_f, a hinge loss on faces", minimum=0)
    face_feature_matching: float = option(100.0, "weight of the L1 of D_f's features", minimum=0)
    face_l1: float = option(10.0, "weight of the L1 of faces", minimum=0)
    face_perceptual: float = option(10.0, "weight of faces' perceptual features", minimum=0)
    flow: float = option(
        0.0,
        "weight of the L1 to the exact flow of `dancers --truth`, in px (10 with FlowNet2's)",
        minimum=0,
    )
    warp: float = option(10.0, "weight of the L1 of the warped reference to the target", minimum=0)
    occlusion: float = option(10.0, "weight of the terms of the occlusion map", minimum=0)
    matte: float = option(1.0, "ours: weight of the fourth channel", minimum=0)
