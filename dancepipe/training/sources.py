"""Where the pairs of a stage come from: the train split of the data set, or people rendered
while the networks train."""

from pathlib import Path

from dancepipe.data.pairs import Pairs, PairSource
from dancepipe.errors import ConfigError
from dancepipe.training.options import TrainOptions


def training_pairs(
    data: Path,
    options: TrainOptions,
    stage: int,
    size_hw: tuple[int, int],
    *,
    reads_flow: bool = False,
) -> Pairs:
    """The pairs of stage 1 or 2: those of the data set, or with options.stream rendered ones
    (synthetic/stream.py).

    reads_flow: exact flow comes with those of stage 1. Raises DatasetError,
    ConfigError (assets without stream; with it pictures that are not square, or targets), with
    options.stream also AssetsError and MissingExtraError.
    """
    seed, with_flow = 2 * options.seed + stage - 1, stage == 1 and reads_flow
    if options.assets and not options.stream:
        raise ConfigError(
            f"assets is {options.assets}, but nothing is to be rendered; give --stream, or leave "
            "it out"
        )
    if options.batch % options.targets:
        raise ConfigError(
            f"a batch of {options.batch} is not made of {options.targets} targets for each "
            "reference; give a multiple"
        )
    if not options.stream:
        return PairSource(
            data, "train", size_hw, seed=seed, with_flow=with_flow, targets=options.targets
        )
    if options.targets > 1:
        raise ConfigError(
            f"targets is {options.targets}, but with --stream every pair is rendered for itself; "
            "leave one of the two out"
        )
    from dancepipe.synthetic.stream import pairs_by_recipe

    return pairs_by_recipe(data, options.assets, seed, size_hw, options.batch, with_flow=with_flow)
