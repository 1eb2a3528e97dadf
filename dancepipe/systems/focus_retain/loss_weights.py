"""The weights of eq. 10, apart from the losses themselves so that the command line can show them
without loading torch."""

from dataclasses import dataclass

from dancepipe.config import option


@dataclass(frozen=True)
class LossWeights:
    """Eq. 10, which gives no numbers: these follow GFLA's. One field per term of losses.py,
    under the term's name."""

    flow_feature: float = option(5.0, "eq. 3; its floor is exp(-1) = 0.368, not 0", minimum=0)
    flow_image: float = option(5.0, "eq. 5", minimum=0)
    l1: float = option(5.0, "eq. 7, the l1 half", minimum=0)
    perceptual: float = option(0.5, "eq. 7, the perceptual half", minimum=0)
    face_l1: float = option(5.0, "eq. 8, the l1 half", minimum=0)
    face_perceptual: float = option(0.5, "eq. 8, the perceptual half", minimum=0)
    adversarial: float = option(2.0, "eq. 9, D", minimum=0)
    adversarial_face: float = option(2.0, "eq. 9, D_f", minimum=0)
    matte: float = option(1.0, "ours, not the paper's: the fourth channel", minimum=0)
    person_l1: float = option(
        0.0,
        "ours: L1 over the person's own pixels: a lost hand costs more than a smudge beside it",
        minimum=0,
    )
    gradient: float = option(0.0, "ours: edges, L1 of pixel differences at three scales", minimum=0)
    lost_detail: float = option(
        0.0,
        "ours, for presets with a gate: the price of fine contrast that the gate drops",
        minimum=0,
    )
    synthesis: float = option(
        0.0,
        "ours, for presets with a gate: l1, person_l1 and gradient once more, of what the gate "
        "has in place of the copy",
        minimum=0,
    )
    feature_matching: float = option(
        0.0, "ours: L1 between D's features of the made and of the true picture", minimum=0
    )
    style: float = option(
        0.0, "GFLA's, who weighs it 500: Gram matrices of the perceptual features", minimum=0
    )
    flow_exact: float = option(
        0.0,
        "ours, for data of `dancers --truth`: L1 against the exact flow where the reference "
        "shows the pixel, in widths",
        minimum=0,
    )
    affine: float = option(
        0.0,
        "GFLA's, who weighs it .0025 (summed over windows): flow that is not affine within its "
        "window",
        minimum=0,
    )
