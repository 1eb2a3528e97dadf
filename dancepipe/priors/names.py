"""A prior by its name. Names are here, without torch, as dims and options need no more."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal

from dancepipe.errors import ConfigError
from dancepipe.files.plain_text import shortened

if TYPE_CHECKING:
    from torch import Tensor

    from dancepipe.pose.batch import PoseBatch
    from dancepipe.priors.prior import Prior

PriorName = Literal["none", "limbs", "body"]

# Of PriorAt.inputs: the guessed picture and its matte; of the body its kind and its normals too.
CHANNELS: Mapping[str, int] = {"none": 0, "limbs": 4, "body": 10}


def prior_of(name: str, I_r: "Tensor", matte_r: "Tensor", poses_r: "PoseBatch") -> "Prior | None":
    """The prior made from references; None for "none".

    I_r (B, 3, H, W) in [-1, 1] on grey, matte_r (B, 1, H, W) in [0, 1], their poses. ConfigError
    for an unknown name, and for poses that lack what the prior reads.
    """
    match name:
        case "none":
            return None
        case "limbs":
            from dancepipe.priors.limbs import LimbPrior

            return LimbPrior(I_r, matte_r, poses_r)
        case "body":
            from dancepipe.priors.body import BodyPrior

            return BodyPrior(I_r, matte_r, poses_r)
    raise ConfigError(f"unknown prior {shortened(name)}; known are {', '.join(CHANNELS)}")
