"""The options of train. configs/*.yaml hold only what differs from these defaults."""

from dataclasses import dataclass
from typing import Literal

from dancepipe.config import option
from dancepipe.systems.cocos.options import CocosOptions
from dancepipe.systems.fewshot.options import FewshotOptions
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.systems.guided.options import GuidedOptions


@dataclass(frozen=True)
class TrainOptions:
    system: str = option("focus_retain", "which of the systems that learn is trained")
    preset: str = option(
        "base", "network sizes", choices=("paper", "market", "base", "live", "tiny")
    )
    attention_module: bool = option(
        True, "flow attention module; without: M is read off the flow features alone, as in GFLA"
    )
    attention: str | None = option(
        None,
        "A of eq. 2: spatial, a softmax over positions, or gate, between 0 and 1; default: as "
        "init or else the preset has it",
        choices=("spatial", "gate"),
    )
    prior: str | None = option(
        None,
        "ours: the first guess, by the limb warp or by the body in three dimensions, which needs "
        "data with landmarks; or none; default: as init or else the preset has it",
        choices=("none", "limbs", "body"),
    )
    keep: bool | None = option(
        None,
        "ours: the enhancer's gate that keeps the coarse picture's pixels; default: as init or "
        "else the preset has it",
    )
    init: str | None = option(
        None,
        "weights to start from, of the same preset: a file, or the name of shipped ones; the "
        "picture size may differ",
    )
    stay: float = option(
        0.0,
        "with init: share of the way back to those weights that every step ends with, against "
        "forgetting",
        minimum=0,
        maximum=1,
    )
    height_px: int = option(256, "picture height, a multiple of 16", minimum=32)
    width_px: int = option(
        256, "picture width, a multiple of 16 (animate takes square pictures only)", minimum=32
    )
    enlarge: int = option(
        1,
        "stage 1 works at the picture's size divided by this and its picture is enlarged; stage "
        "2 at the whole",
        choices=(1, 2),
    )
    stage0_steps: int = option(
        0,
        "steps of the flow network alone before stage 1, by the terms of the flow: 20 x "
        "flow_feature, flow_image, flow_exact",
        minimum=0,
    )
    stage1_steps: int = option(200_000, "steps of stage 1: flow attention network and D", minimum=0)
    stage2_steps: int = option(
        100_000, "steps of stage 2: enhancer, D and D_f; stage 1 frozen", minimum=0
    )
    batch: int = option(8, "pairs a step, over all processes", minimum=1)
    targets: int = option(
        1,
        "pairs in a row that share one reference and its augmentation: with prior body each "
        "reference costs a fit",
        minimum=1,
    )
    accumulate: int = option(
        1,
        "parts in which each process works on its pairs of a step, to save memory; the same step "
        "but for batch norm",
        minimum=1,
    )
    learning_rate: float = option(1e-4, "Adam, generators", minimum=0)
    discriminator_rate: float = option(1e-5, "Adam, discriminators", minimum=0)
    beta1: float = option(0.0, "Adam's first beta (the second is 0.999)", minimum=0, maximum=0.9999)
    average: float = option(
        0.999,
        "decay of the running average of the generators' weights; 0: none",
        minimum=0,
        maximum=0.999999,
    )
    perceptual: str = option(
        "vgg19",
        "perceptual network: vgg19 (its normal download), vgg19:FILE, pose (the backbone of the "
        "network that finds bodies), random, none",
    )
    correctness: Literal["eq3", "gfla"] = option(
        "eq3",
        "flow_feature: eq. 3 as printed, or GFLA's, divided by the best similarity that any "
        "source has",
        choices=("eq3", "gfla"),
    )
    weights: LossWeights = option(LossWeights(), "weights of the loss terms")
    guided: GuidedOptions = option(GuidedOptions(), "of the system guided")
    cocos: CocosOptions = option(CocosOptions(), "of the system cocos")
    fewshot: FewshotOptions = option(FewshotOptions(), "of the system fewshot")
    mirror: bool = option(True, "mirror half of the pairs")
    colour_jitter: float = option(
        0.1,
        "strength of random colour gains and channel swaps, the same in a pair; 0: off",
        minimum=0,
    )
    turn: float = option(
        0.0,
        "degrees by which references are turned at most, targets by a fifth (GFLA: 5)",
        minimum=0,
        maximum=90,
    )
    shift: float = option(
        0.0,
        "picture heights by which references are shifted at most, targets by a fifth (GFLA: 0.02 "
        "of 256)",
        minimum=0,
        maximum=0.5,
    )
    zoom: float = option(
        0.0,
        "share by which references grow or shrink at most, targets by a fifth (GFLA: 0.05)",
        minimum=0,
        maximum=0.5,
    )
    precision: str = option("fp32", "arithmetic of the convolutions", choices=("fp32", "bf16"))
    compile: bool = option(
        False,
        "compile the networks of stages 1 and 2: faster steps after minutes of compiling; needs "
        "a C++ compiler, on a GPU triton",
    )
    device: str = option("auto", "auto, cpu, cuda, cuda:1 ...")
    stream: bool = option(
        False,
        "with data that `dancers` rendered: train on other people, rendered meanwhile by its "
        "recipe, in place of its train split",
    )
    assets: str | None = option(
        None,
        "with stream: folder of the asset pack; without it the environment variable "
        "DANCEPIPE_DANCERS",
    )
    workers: int = option(
        2,
        "processes that decode or render pictures (0: none); with stream best a divisor of 12",
        minimum=0,
        maximum=256,
    )
    seed: int = option(0, "seed of weights, pairs and augmentation", minimum=0, maximum=2**31)
    log_every: int = option(50, "steps between log lines", minimum=1)
    sample_every: int = option(
        1000, "steps between sample grids and figures of held-out people", minimum=1
    )
    held_out_pre: bool = option(
        True,
        "read poses in what is made of held-out people: the error held_out_pre, and by it the "
        "weights in best/",
    )
    stop_after: float = option(
        0.0,
        "seconds of training after which a checkpoint is saved and the run stops, to go on with "
        "--resume; 0: never",
        minimum=0,
    )
    save_every: int = option(2000, "steps between checkpoints", minimum=1)
    keep_checkpoints: int = option(3, "how many checkpoints stay", minimum=1)
