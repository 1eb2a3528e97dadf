"""The training loop: the steps of one stage, with what is kept of them. The locals of run_stage are
the state."""

import logging
import time
from contextlib import closing, nullcontext
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import NoReturn

import torch

from dancepipe.data.pairs import Pairs, pair_batches
from dancepipe.files.lock import Lock
from dancepipe.processes import Processes
from dancepipe.progress import counted
from dancepipe.systems.stage import Stage
from dancepipe.systems.weights import WeightsInfo
from dancepipe.training.best import JUDGED_BY, BestWeights
from dancepipe.training.checkpoint import Position, load_checkpoint, read_position, save_checkpoint
from dancepipe.training.finite import FiniteWatch, check_finite, check_modules
from dancepipe.training.held_out import FixedPairs
from dancepipe.training.inputs import Augmentation, step_parts
from dancepipe.training.interrupt import Interruption, read_to_the_end
from dancepipe.training.options import TrainOptions
from dancepipe.training.pace import Pace
from dancepipe.training.run_folder import RunLog
from dancepipe.training.samples import save_grid

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Run:
    """What the stages of a run share."""

    out: Path
    options: TrainOptions
    processes: Processes
    log: RunLog | None  # the first process's
    lock: Lock | None  # the first process's
    stop_at: float  # as time.monotonic() has it
    interruption: Interruption

    def check_lock(self) -> None:
        """OutputError when the run folder was removed or moved away; the first process can tell."""
        if self.lock is not None:
            self.lock.check()


def run_stage(
    run: Run,
    stage: Stage,
    source: Pairs,
    held_out: Pairs | None,
    checkpoint: Path | None,
) -> bool:
    """The steps of one stage, from its checkpoint or its start, with log lines, sample grids and
    checkpoints; False: out of time. Raises KeyboardInterrupt, when all is saved, after Ctrl-C or
    SIGTERM."""
    number, total = stage.number, stage.steps
    options, processes = run.options, run.processes
    device, share = processes.device, processes.share(options.batch)

    # 1. Where it stands
    step = 0
    if checkpoint:
        load_checkpoint(checkpoint, stage.modules, stage.optimisers)
        step = read_position(checkpoint).step
        logger.info(f"stage {number}: going on from step {step}")
    processes.begin_alike(stage.modules.values())

    # 2. What it reads, and who watches
    batches = pair_batches(
        source,
        options.batch,
        step * options.batch,
        total * options.batch,
        options.workers,
        share=share,
        pinned=device != "cpu",
    )
    fixed = _fixed_pairs(run, stage, source, held_out) if processes.is_first else None
    best = (
        BestWeights(run.out, number, run.log.lowest_before(number, JUDGED_BY)) if run.log else None
    )
    reading = read_to_the_end(batches)
    pace, watch = Pace(options.batch, step, total, device), FiniteWatch(number)
    bar = counted(
        pace.waited_for(reading),
        total=total,
        initial=step,
        desc=f"stage {number}",
        unit="step",
        disable=not processes.is_first,
    )
    with closing(reading), fixed or nullcontext(), bar as progress:
        for batch in progress:
            # 3. The step
            parts = step_parts(
                batch, share, Augmentation.drawn(options, number, step), options.accumulate, device
            )
            is_logged = (step + 1) % options.log_every == 0 or step + 1 == total
            numbers = stage.step(parts, step, with_statistics=is_logged)
            step += 1
            names, values = list(numbers), processes.mean(torch.stack(list(numbers.values())))
            watch.look(step, names, values)

            # 4. What is due after it, the same on all processes
            is_sampled = step % options.sample_every == 0 or step == total
            is_late = (
                bool(options.stop_after)
                and processes.first_says(time.monotonic() >= run.stop_at)
                and step < total
            )
            is_interrupted = processes.any_says(bool(run.interruption))
            is_saved = step % options.save_every == 0 or step == total or is_late or is_interrupted

            # 5. Say, look, save
            if is_logged or is_sampled or is_saved:
                watch.settle()
                processes.first_does(run.check_lock)
            if is_logged and run.log:
                figures = dict(zip(names, values.tolist())) | pace.figures(step)
                run.log.write(number, step, figures)
                for remark in stage.remarks(step, figures):
                    logger.info(remark)
                if progress.disable:  # no terminal
                    logger.info(pace.line(number, step, figures))
                progress.set_postfix(
                    {name: f"{figures[name]:.3f}" for name in ("l1", "total") if name in figures}
                )
            if is_sampled or is_saved:
                check_modules(stage.modules, number, step)
            if is_sampled:
                processes.first_does(partial(_look, run, stage, step, fixed, best))
            if is_saved:
                _save(run, stage, step)

            # 6. Go on?
            if is_interrupted:
                _end(run, stage, step)
            if is_late:
                logger.info(
                    f"stopped after {options.stop_after:.0f} s, as asked, at step {step} of "
                    f"{total} of stage {number}; go on with --resume"
                )
                return False
    return True


def _save(run: Run, stage: Stage, step: int) -> None:
    position, kept = Position(stage.number, step), run.options.keep_checkpoints
    run.processes.first_does(
        partial(save_checkpoint, run.out, position, stage.modules, stage.optimisers, kept)
    )


def _end(run: Run, stage: Stage, step: int) -> NoReturn:
    """Of what is saved, as the signal wants it."""
    logger.info(
        f"{run.interruption.by or 'another process'}: saved after step {step} of {stage.steps} of "
        f"stage {stage.number}; go on with --resume"
    )
    run.interruption.end()


def _fixed_pairs(run: Run, stage: Stage, source: Pairs, held_out: Pairs | None) -> FixedPairs:
    return FixedPairs(
        held_out.at(source.size_hw) if held_out else source,
        are_held_out=held_out is not None,
        reads_poses=held_out is not None and run.options.held_out_pre and stage.draws_people,
        device=run.processes.device,
    )


def _look(
    run: Run, stage: Stage, step: int, fixed: FixedPairs | None, best: BestWeights | None
) -> None:
    """Shows, logs and weighs what the averaged weights make."""
    assert fixed is not None and best is not None and run.log is not None  # the first process's
    figures, grid = fixed.look(stage)
    save_grid(run.out, stage.number, step, grid)
    run.log.picture(stage.number, step, grid)
    run.log.write(stage.number, step, figures)
    check_finite(figures, stage.number, step)
    best.offer(figures, WeightsInfo(stage.dims, stage.number, step), stage.renders)
    logger.info(
        f"stage {stage.number}, step {step} of {stage.steps}: "
        + ", ".join(f"{name} {value:.4f}" for name, value in figures.items())
    )
