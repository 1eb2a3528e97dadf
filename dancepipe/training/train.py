"""A training from its options to its weights: resolve, show, save, run. The steps are in loop.py,
what a step is in the system's stages."""

import json
import logging
import math
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

import torch

from dancepipe.config import as_plain
from dancepipe.data.pairs import PairSource
from dancepipe.data.store import clip_files
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.files.lock import Lock, lock_folder
from dancepipe.losses.perceptual import open_perceptual
from dancepipe.nn.compiled import check_compiler
from dancepipe.processes import Processes, joined_processes
from dancepipe.systems.names import SYSTEMS, system_of
from dancepipe.systems.shipped import find_weights
from dancepipe.systems.stage import Stage
from dancepipe.systems.system import Dims
from dancepipe.systems.training import Training
from dancepipe.systems.weights import WeightsInfo, save_weights
from dancepipe.training.checkpoint import Position, checkpoints, read_position
from dancepipe.training.interrupt import interruption
from dancepipe.training.loop import Run, run_stage
from dancepipe.training.options import TrainOptions
from dancepipe.training.run_folder import RunLog, describe_run, open_run_folder
from dancepipe.training.sources import training_pairs

logger = logging.getLogger(__name__)

_STAGE0_SEED = 2**32  # apart from the seeds of the other stages' pairs


def train(
    data: Path,
    out: Path,
    options: TrainOptions = TrainOptions(),
    *,
    resume: bool = False,
    dry_run: bool = False,
) -> None:
    """Train both stages on the data set `data`; everything lands in the run folder `out`, at the
    end weights.safetensors.

    resume: go on from the last checkpoint, or begin where there is none yet. dry_run: show what
    would be done and stop. Returns early, with a checkpoint, after options.stop_after seconds.
    Ctrl-C and SIGTERM finish the step that is being made and save a checkpoint, then they raise
    KeyboardInterrupt; the second one does so at once.
    Started by torchrun or accelerate launch, the processes share every batch. Raises ConfigError,
    DatasetError, WeightsError, OutputError, TrainingDivergedError, ProcessLostError.
    """
    with (
        joined_processes(options.device) as processes,
        nullcontext() if dry_run else _locked(Path(out), processes) as lock,
    ):
        _train(Path(data), Path(out), options, processes, lock, resume=resume, dry_run=dry_run)


@contextmanager
def _locked(out: Path, processes: Processes) -> Iterator[Lock | None]:
    """The run folder for this run alone; the lock is the first process's."""
    locks: list[Lock] = []
    processes.first_does(lambda: locks.append(lock_folder(out)))
    try:
        yield locks[0] if locks else None
    finally:
        for lock in locks:
            lock.release()


def _train(
    data: Path, out: Path, options: TrainOptions, processes: Processes, lock: Lock | None,
    *, resume: bool, dry_run: bool,
) -> None:  # fmt: skip
    # 1. Resolve
    if options.batch % (processes.count * options.accumulate):
        raise ConfigError(
            f"batch {options.batch} cannot be shared by {processes.count} processes in "
            f"{options.accumulate} parts each; make it a multiple of "
            f"{processes.count * options.accumulate}"
        )
    training = _training_of(options.system)
    initial = training.load(find_weights(options.init)) if options.init else None
    dims = training.dims(options, initial.dims if initial else None)
    if initial and options.init:
        training.check_same(options.init, initial.dims, dims)
    if options.stage0_steps and initial and "stage0_steps" not in training.unread:
        raise ConfigError(
            f"stage0_steps is {options.stage0_steps}, but --init gives a flow already; leave one "
            "of them out"
        )
    if options.stay and not initial:
        raise ConfigError(
            f"stay is {options.stay}, but there is nothing to stay near; give --init, or leave it 0"
        )
    pairs = {
        stage: training_pairs(
            data, options, stage, size_hw, reads_flow=training.reads_flow(options)
        )
        for stage, size_hw in training.pair_sizes_hw(dims).items()
    }
    held_out = _held_out_source(data, dims)
    facts = {**pairs[1].facts, "held_out_identities": held_out.identities if held_out else 0}

    # 2. Show
    description = describe_run(options, data, facts)
    logger.info(json.dumps(_read_by(options, training), indent=2))
    if ignored := _ignored(options, training):
        logger.info(f"system {options.system} does not read these: {', '.join(ignored)}")
    if initial:
        logger.info(
            f"starting from {options.init}: stage {initial.info.stage}, trained at "
            f"{initial.dims.size_hw[1]} x {initial.dims.size_hw[0]}"
        )
    if options.height_px != options.width_px:
        logger.warning(
            "pictures are not square: these weights can be evaluated, but animate will not take "
            "them"
        )
    logger.info(f"data: {pairs[1].summary}; held out: {facts['held_out_identities']} people")
    if processes.count * options.accumulate > 1:
        logger.info(
            f"batch: {options.batch} pairs, "
            f"{options.batch // processes.count // options.accumulate} at a time"
        )
    if dry_run:
        for line in _sizes(training, dims, options):
            logger.info(line)
        return
    if options.compile:
        check_compiler(processes.device)
    perceptual = (
        open_perceptual(options.perceptual, processes.device, training.layers)
        if training.layers
        else None
    )

    # 3. Save
    processes.first_does(lambda: open_run_folder(out, options, description, resume=resume))
    there = checkpoints(out) if resume else []
    last = there[-1] if there else None
    log = RunLog(out, read_position(last) if last else None) if processes.is_first else None

    # 4. Run
    with log or nullcontext(), interruption() as asked:
        start = read_position(last) if last else Position(0 if options.stage0_steps else 1, 0)
        _check_totals(start, options)
        stop_at = time.monotonic() + options.stop_after if options.stop_after else math.inf
        run = Run(out, options, processes, log, lock, stop_at, asked)
        for stage in training.stages(dims, options, perceptual, processes, initial):
            if stage.number < start.stage:
                continue
            source = (
                pairs[1].at(pairs[1].size_hw, seed=_STAGE0_SEED + options.seed)
                if stage.number == 0
                else pairs[stage.number]
            )
            checkpoint = last if stage.number == start.stage else None
            if not run_stage(run, stage, source, held_out, checkpoint):
                return
            if stage.number == 1:
                _save(run, out / "stage1.safetensors", stage)
    _save(run, weights := out / "weights.safetensors", stage)
    lacks_stage2 = 2 in pairs and not options.stage2_steps
    logger.info(f"done: {weights}" + (" (stage 1 only: stage2_steps is 0)" if lacks_stage2 else ""))


def _save(run: Run, weights: Path, stage: Stage) -> None:
    info, networks = WeightsInfo(stage.dims, stage.number, stage.steps), stage.renders
    run.processes.first_does(lambda: (run.check_lock(), save_weights(weights, info, networks)))


def _training_of(name: str) -> Training:
    entry = system_of(name)
    if entry.training is None:
        learning = [one for one in SYSTEMS if system_of(one).training]
        raise ConfigError(f"system {name} learns nothing; train {', '.join(learning)}")
    return entry.training()


def _read_by(options: TrainOptions, training: Training) -> dict:
    """The options that the system reads, as plain values."""
    return {
        name: value
        for name, value in as_plain(options).items()
        if name not in training.unread and (name not in SYSTEMS or name == options.system)
    }


def _ignored(options: TrainOptions, training: Training) -> list[str]:
    """Options that were given, but that the system does not read."""
    plain, read = as_plain(options), _read_by(options, training)
    usual = as_plain(TrainOptions())
    return [name for name in plain if name not in read and plain[name] != usual[name]]


def _sizes(training: Training, dims: Dims, options: TrainOptions) -> list[str]:
    """What the networks weigh; nothing is allocated."""
    with torch.device("meta"):
        networks = training.networks(dims, options)
    counts = {
        name: sum(parameter.numel() for parameter in network.parameters())
        for name, network in networks.items()
    }
    lines = [f"{name}: {count / 1e6:.2f} M parameters" for name, count in counts.items()]
    # The weights, their running average, and two moments of Adam.
    return [
        *lines,
        f"a checkpoint takes about {4 * 4 * max(counts.values()) / 2**20:.0f} MiB, "
        f"{options.keep_checkpoints} are kept",
    ]


def _check_totals(start: Position, options: TrainOptions) -> None:
    """A resumed run can be made longer, not shorter than it already is."""
    done = {1: start.step if start.stage == 1 else None, 2: start.step if start.stage == 2 else 0}
    for stage, total in ((1, options.stage1_steps), (2, options.stage2_steps)):
        if done[stage] is not None and total < done[stage]:
            raise ConfigError(
                f"{done[stage]} steps of stage {stage} are done already; stage{stage}_steps "
                f"cannot become {total}"
            )


def _held_out_source(data: Path, dims: Dims) -> PairSource | None:
    try:
        clip_files(data, "test")
        return PairSource(data, "test", dims.size_hw, seed=0)
    except DatasetError as error:
        logger.warning(f"no held-out people ({error}); samples show training pairs")
        return None
