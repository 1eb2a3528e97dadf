"""The training loop: the flow network alone if asked for, stage 1, then stage 2 with stage 1
frozen (section 4.3). The locals of run_stage are the state."""

import json
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch
from tqdm import tqdm

from dancepipe.config import as_plain
from dancepipe.data.pairs import PairSource, pair_batches
from dancepipe.data.store import clip_files
from dancepipe.errors import ConfigError, DatasetError
from dancepipe.files.lock import Lock, lock_folder
from dancepipe.losses.perceptual import open_perceptual
from dancepipe.systems.focus_retain.dims import ModelDims
from dancepipe.systems.focus_retain.enhancer import Enhancer
from dancepipe.systems.focus_retain.flow_attention import FlowAttentionNetwork
from dancepipe.systems.focus_retain.networks import Networks, load_networks
from dancepipe.systems.shipped import find_weights
from dancepipe.systems.weights import WeightsInfo, differences, save_weights
from dancepipe.training.best import JUDGED_BY, BestWeights
from dancepipe.training.checkpoint import (
    Position,
    checkpoints,
    load_checkpoint,
    read_position,
    save_checkpoint,
)
from dancepipe.training.collapse import CollapseWatch
from dancepipe.training.compiled import check_compiler
from dancepipe.training.dims_of import dims_of
from dancepipe.training.finite import FiniteWatch, check_finite, check_modules
from dancepipe.training.held_out import FixedPairs
from dancepipe.training.inputs import Augmentation, step_parts
from dancepipe.training.interrupt import Interruption, interruption
from dancepipe.training.options import TrainOptions
from dancepipe.training.pace import Pace
from dancepipe.training.processes import Processes, joined_processes, silent
from dancepipe.training.run_folder import RunLog, describe_run, open_run_folder
from dancepipe.training.samples import save_grid
from dancepipe.training.sources import training_pairs
from dancepipe.training.stages import Stage0, Stage1, Stage2

_STAGE0_SEED = 2**32  # apart from the seeds of the other stages' pairs


def train(
    data: Path,
    out: Path,
    options: TrainOptions = TrainOptions(),
    *,
    resume: bool = False,
    dry_run: bool = False,
    say: Callable[[str], None] = print,
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
        joined_processes(options.device, say) as processes,
        nullcontext() if dry_run else _locked(Path(out), processes) as lock,
    ):
        say = say if processes.is_first else silent
        _train(
            Path(data), Path(out), options, processes, lock, resume=resume, dry_run=dry_run, say=say
        )


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
    *, resume: bool, dry_run: bool, say: Callable[[str], None],
) -> None:  # fmt: skip
    # 1. Resolve
    if options.batch % (processes.count * options.accumulate):
        raise ConfigError(
            f"batch {options.batch} cannot be shared by {processes.count} processes in "
            f"{options.accumulate} parts each; make it a multiple of "
            f"{processes.count * options.accumulate}"
        )
    initial = load_networks(find_weights(options.init)) if options.init else None
    dims = dims_of(options, initial.dims if initial else None)
    if initial:
        _check_same_networks(options.init, initial.dims, dims)
    if options.stage0_steps and initial:
        raise ConfigError(
            f"stage0_steps is {options.stage0_steps}, but --init gives a flow already; leave one "
            "of them out"
        )
    if options.stay and not initial:
        raise ConfigError(
            f"stay is {options.stay}, but there is nothing to stay near; give --init, or leave it 0"
        )
    pairs = {
        stage: training_pairs(data, options, stage, size_hw)
        for stage, size_hw in ((1, dims.coarse_hw), (2, dims.size_hw))
    }
    held_out = _held_out_source(data, dims, say)
    facts = {**pairs[1].facts, "held_out_identities": held_out.identities if held_out else 0}

    # 2. Show
    description = describe_run(options, data, facts)
    say(json.dumps(as_plain(options), indent=2))
    if initial:
        say(
            f"starting from {options.init}: stage {initial.info.stage}, trained at "
            f"{initial.dims.size_hw[1]} x {initial.dims.size_hw[0]}"
        )
    if options.height_px != options.width_px:
        say(
            "pictures are not square: these weights can be evaluated, but animate will not take "
            "them"
        )
    say(f"data: {pairs[1].summary}; held out: {facts['held_out_identities']} people")
    if processes.count * options.accumulate > 1:
        say(
            f"batch: {options.batch} pairs, "
            f"{options.batch // processes.count // options.accumulate} at a time"
        )
    if dry_run:
        for line in _sizes(dims, options):
            say(line)
        return
    if options.compile:
        check_compiler(processes.device)
    perceptual = open_perceptual(options.perceptual, processes.device, say=say)

    # 3. Save
    processes.first_does(lambda: open_run_folder(out, options, description, resume=resume, say=say))
    there = checkpoints(out) if resume else []
    last = there[-1] if there else None
    log = RunLog(out, read_position(last) if last else None, say) if processes.is_first else None

    # 4. Run
    with log or nullcontext(), interruption() as asked:
        start = read_position(last) if last else Position(0 if options.stage0_steps else 1, 0)
        _check_totals(start, options)
        stop_at = time.monotonic() + options.stop_after if options.stop_after else math.inf
        torch.manual_seed(options.seed)
        if start.stage == 0:
            stage0 = Stage0(dims, options, perceptual, processes)
            source = pairs[1].at(dims.coarse_hw, seed=_STAGE0_SEED + options.seed)
            if not _run_stage(
                0,
                stage0,
                source,
                held_out,
                last,
                options,
                out,
                log,
                lock,
                processes,
                stop_at,
                asked,
                say,
            ):
                return
            initial, last = (
                Networks(dims, WeightsInfo(dims, 1, 0), stage0.average.module, None),
                None,
            )
            start = Position(1, 0)
        torch.manual_seed(options.seed)
        stage1 = Stage1(dims, options, perceptual, processes, initial)
        if start.stage == 1 and not _run_stage(
            1,
            stage1,
            pairs[1],
            held_out,
            last,
            options,
            out,
            log,
            lock,
            processes,
            stop_at,
            asked,
            say,
        ):
            return
        torch.manual_seed(options.seed + 1)
        stage2 = Stage2(stage1.average.module, dims, options, perceptual, processes, initial)
        checkpoint = last if start.stage == 2 else None
        if not _run_stage(
            2,
            stage2,
            pairs[2],
            held_out,
            checkpoint,
            options,
            out,
            log,
            lock,
            processes,
            stop_at,
            asked,
            say,
        ):
            return
    weights, networks = out / "weights.safetensors", {"flow_attention": stage2.flow_attention}
    if options.stage2_steps:
        networks["enhancer"] = stage2.average.module
    info = WeightsInfo(dims, len(networks), options.stage2_steps or options.stage1_steps)
    processes.first_does(lambda: (lock.check(), save_weights(weights, info, networks)))
    say(f"done: {weights}" + ("" if options.stage2_steps else " (stage 1 only: stage2_steps is 0)"))


def _sizes(dims: ModelDims, options: TrainOptions) -> list[str]:
    """What the networks weigh; nothing is allocated."""
    with torch.device("meta"):
        networks = {"flow attention network": FlowAttentionNetwork(dims.flow_attention)}
        if options.stage2_steps:
            networks["enhancer"] = Enhancer(dims.enhancer)
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


def _check_same_networks(init: str, given: ModelDims, wanted: ModelDims) -> None:
    """ConfigError when the weights to start from are of other networks."""
    if (given.flow_attention, given.enhancer) == (wanted.flow_attention, wanted.enhancer):
        return
    if given.preset != wanted.preset:
        raise ConfigError(
            f"{init} holds networks of preset {given.preset}, not {wanted.preset}; choose "
            f"--preset {given.preset}, or other weights"
        )
    differing = differences(given, wanted, ("flow_attention", "enhancer"))
    raise ConfigError(
        f"{init} holds other networks: {differing}; choose the same attention, attention_module, "
        "prior and keep, or other weights"
    )


def _check_totals(start: Position, options: TrainOptions) -> None:
    """A resumed run can be made longer, not shorter than it already is."""
    done = {1: start.step if start.stage == 1 else None, 2: start.step if start.stage == 2 else 0}
    for stage, total in ((1, options.stage1_steps), (2, options.stage2_steps)):
        if done[stage] is not None and total < done[stage]:
            raise ConfigError(
                f"{done[stage]} steps of stage {stage} are done already; stage{stage}_steps "
                f"cannot become {total}"
            )


def _run_stage(
    number,
    stage,
    source,
    held_out,
    checkpoint: Path | None,
    options: TrainOptions,
    out: Path,
    log: RunLog | None,
    lock: Lock | None,
    processes: Processes,
    stop_at,
    asked: Interruption,
    say,
) -> bool:
    """The steps of one stage, from its checkpoint or its start, with log lines, sample grids and
    checkpoints; False: out of time."""
    total = getattr(options, f"stage{number}_steps")
    step = 0
    if checkpoint:
        load_checkpoint(checkpoint, stage.modules, stage.optimisers)
        step = read_position(checkpoint).step
        say(f"stage {number}: going on from step {step}")
    processes.begin_alike(stage.modules.values())
    device, share = processes.device, processes.share(options.batch)
    fixed, best = nullcontext(), None
    if processes.is_first:
        shown = held_out.at(source.size_hw) if held_out else source
        reads_poses = (
            held_out is not None and options.held_out_pre and number > 0
        )  # stage 0 makes no picture of its own
        fixed = FixedPairs(
            shown,
            are_held_out=held_out is not None,
            reads_poses=reads_poses,
            device=device,
            say=say,
        )
        best = BestWeights(out, number, log.lowest_before(number, JUDGED_BY))
    batches = pair_batches(
        source,
        options.batch,
        step * options.batch,
        total * options.batch,
        options.workers,
        share=share,
        pinned=device != "cpu",
    )
    pace, watch = Pace(options.batch, step, total, device), FiniteWatch(number)
    collapse = CollapseWatch(stage.dims.coarse_hw, say)
    bar = tqdm(
        pace.waited_for(batches),
        total=total,
        initial=step,
        desc=f"stage {number}",
        unit="step",
        disable=None if processes.is_first else True,
    )
    with fixed, bar as progress:
        for batch in progress:
            parts = step_parts(
                batch, share, Augmentation.drawn(options, number, step), options.accumulate, device
            )
            is_logged = (step + 1) % options.log_every == 0 or step + 1 == total
            numbers = stage.step(parts, step, with_statistics=is_logged)
            step += 1
            names, values = list(numbers), processes.mean(torch.stack(list(numbers.values())))
            watch.look(step, names, values)
            is_sampled = step % options.sample_every == 0 or step == total
            is_late = (
                bool(options.stop_after)
                and processes.first_says(time.monotonic() >= stop_at)
                and step < total
            )
            is_interrupted = processes.any_says(bool(asked))
            is_saved = step % options.save_every == 0 or step == total or is_late or is_interrupted
            if is_logged or is_sampled or is_saved:
                watch.settle()
                processes.first_does(lambda: lock.check())
            if is_logged and processes.is_first:
                figures = dict(zip(names, values.tolist())) | pace.figures(step)
                log.write(number, step, figures)
                collapse.look(step, figures)
                if progress.disable:  # no terminal
                    say(pace.line(number, step, figures))
                progress.set_postfix(
                    {name: f"{figures[name]:.3f}" for name in ("l1", "total") if name in figures}
                )
            if is_sampled or is_saved:
                check_modules(stage.modules, number, step)
            if is_sampled:
                info = WeightsInfo(stage.dims, number, step)
                processes.first_does(partial(_look, stage, info, fixed, best, total, out, log))
            if is_saved:
                here, kept = Position(number, step), options.keep_checkpoints
                processes.first_does(
                    partial(save_checkpoint, out, here, stage.modules, stage.optimisers, kept)
                )
            if is_interrupted:
                say(
                    f"{asked.by or 'another process'}: saved after step {step} of {total} of "
                    f"stage {number}; go on with --resume"
                )
                asked.end()
            if is_late:
                say(
                    f"stopped after {options.stop_after:.0f} s, as asked, at step {step} of "
                    f"{total} of stage {number}; go on with --resume"
                )
                return False
    if number == 1:
        processes.first_does(
            lambda: save_weights(
                out / "stage1.safetensors", WeightsInfo(stage.dims, 1, total), stage.renders
            )
        )
    return True


def _look(
    stage,
    info: WeightsInfo,
    fixed: FixedPairs,
    best: BestWeights,
    total: int,
    out: Path,
    log: RunLog,
) -> None:
    """Shows, logs and judges what the averaged weights make."""
    figures, grid = fixed.look(stage)
    save_grid(out, info.stage, info.step, grid)
    log.picture(info.stage, info.step, grid)
    log.write(info.stage, info.step, figures)
    check_finite(figures, info.stage, info.step)
    best.offer(figures, info, stage.renders)
    tqdm.write(
        f"stage {info.stage}, step {info.step} of {total}: "
        + ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    )


def _held_out_source(data: Path, dims: ModelDims, say) -> PairSource | None:
    try:
        clip_files(data, "test")
        return PairSource(data, "test", dims.size_hw, seed=0)
    except DatasetError as error:
        say(f"no held-out people ({error}); samples show training pairs")
        return None
