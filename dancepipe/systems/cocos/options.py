"""The options of train that are this system's own: widths, rates and weights as published."""

from dataclasses import dataclass

from dancepipe.config import option
from dancepipe.systems.guided.options import POSE_HELP, POSES


@dataclass(frozen=True)
class CocosOptions:
    pose: str = option("JL", POSE_HELP, choices=POSES)
    nf: int = option(64, "channels of the first and last layers", minimum=1)
    h: int = option(128, "hidden channels of the modulations", minimum=1)
    learning_rate: float = option(1e-4, "Adam, generator, with epsilon 1e-3", minimum=0)
    discriminator_rate: float = option(4e-4, "Adam, discriminator", minimum=0)
    beta1: float = option(0.0, "Adam's first beta (the second is 0.9)", minimum=0, maximum=0.9999)
    decay: float = option(
        0.5, "share of the steps, the last ones, in which rates fall to 0", minimum=0, maximum=1
    )
    domain: float = option(10.0, "weight of the alignment of pose and picture features", minimum=0)
    warp: float = option(
        25.0, "weight of the L1 of the warped reference to the target (100 / 4 a GPU)", minimum=0
    )
    features: float = option(
        2.5, "weight of the L1 of perceptual features to the target's (10 / 4 a GPU)", minimum=0
    )
    perceptual: float = option(1e-3, "weight of their squares at relu4_2", minimum=0)
    contextual: float = option(10.0, "weight of the contextual term to the reference", minimum=0)
    adversarial: float = option(10.0, "weight of D, a hinge loss", minimum=0)
    feature_matching: float = option(10.0, "weight of the L1 of D's features", minimum=0)
    cycle: float = option(
        0.0, "weight of the warped reference, warped back (0 for people, .1 for faces)", minimum=0
    )
    matte: float = option(1.0, "ours: weight of the fourth channel", minimum=0)
