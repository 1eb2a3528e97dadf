"""The options of train that are this system's own: widths, rates and weights as published."""

from dataclasses import dataclass

from dancepipe.config import option

POSES = ("S", "J", "JS", "JL")
POSE_HELP = "what it reads of a pose: S heat maps, J coloured limbs, L distances to limbs"


@dataclass(frozen=True)
class GuidedOptions:
    pose: str = option("S", POSE_HELP, choices=POSES)
    nf: int = option(64, "channels of the first layers", minimum=1)
    d: int = option(100, "hidden channels of the feature transformations", minimum=1)
    blocks: int = option(9, "residual blocks", minimum=1)
    learning_rate: float = option(2e-4, "Adam, generator", minimum=0)
    discriminator_rate: float = option(2e-4, "Adam, discriminator", minimum=0)
    beta1: float = option(0.9, "Adam's first beta (the second is 0.999)", minimum=0, maximum=0.9999)
    l1: float = option(100.0, "weight of the L1 to the target", minimum=0)
    adversarial: float = option(1.0, "weight of D, a least squares loss", minimum=0)
    matte: float = option(1.0, "ours: weight of the fourth channel", minimum=0)
