"""The training loop: the flow network alone if asked for, stage 1, then stage 2 with stage 1 frozen (section 4.3). The locals of run_stage are the state."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path

import torch
from tqdm import tqdm

from dancepipe.config import as_plain
from dancepipe.dataset.pairs import PairSource, collate, pair_batches
from dancepipe.dataset.store import clip_files
from dancepipe.device import pick_device
from dancepipe.errors import ConfigError, DatasetError, TrainingDivergedError
from dancepipe.model.dims import ModelDims
from dancepipe.model.enhancer import Enhancer
from dancepipe.model.flow_attention import FlowAttentionNetwork
from dancepipe.model.networks import Networks, load_networks
from dancepipe.model.perceptual import open_perceptual
from dancepipe.model.shipped import find_weights
from dancepipe.model.weights import WeightsInfo, differences, save_weights
from dancepipe.train.checkpoint import Position, checkpoints, load_checkpoint, read_position, save_checkpoint
from dancepipe.train.dims_of import dims_of
from dancepipe.train.inputs import network_pair
from dancepipe.train.options import TrainOptions
from dancepipe.train.pace import Pace
from dancepipe.train.run_folder import RunLog, describe_run, open_run_folder
from dancepipe.train.samples import sample_grid, save_grid
from dancepipe.train.stages import Stage0, Stage1, Stage2

_SAMPLE_PAIRS = 4
_HELD_OUT_PAIRS = 16
_STAGE0_SEED = 2**32  # apart from the seeds of the other stages' pairs


def train(
    data: Path, out: Path, options: TrainOptions = TrainOptions(), *, resume: bool = False, dry_run: bool = False, say: Callable[[str], None] = print
) -> None:
    """Train both stages on the data set `data`; everything lands in the run folder `out`, at the end weights.safetensors.

    resume: go on from the last checkpoint. dry_run: show what would be done and stop. Returns early, with a checkpoint, after
    options.stop_after seconds.
    Raises ConfigError, DatasetError, WeightsError, OutputError, TrainingDivergedError.
    """
    # 1. Resolve
    out = Path(out)
    dims = dims_of(options)
    initial = _initial(find_weights(options.init), dims) if options.init else None
    if options.stage0_steps and initial:
        raise ConfigError(f"stage0_steps is {options.stage0_steps}, but --init gives a flow already; leave one of them out")
    if options.stay and not initial:
        raise ConfigError(f"stay is {options.stay}, but there is nothing to stay near; give --init, or leave it 0")
    with_flow, sizes = bool(options.weights.flow_exact), {1: dims.coarse_hw, 2: dims.size_hw}
    pairs = {stage: PairSource(data, "train", sizes[stage], seed=2 * options.seed + stage - 1, with_flow=with_flow and stage == 1) for stage in (1, 2)}
    held_out = _held_out_source(data, dims, say)
    facts = {"fingerprint": pairs[1].fingerprint, "identities": pairs[1].identities, "frames": pairs[1].frames, "held_out_identities": held_out.identities if held_out else 0}

    # 2. Show
    description = describe_run(options, data, facts)
    say(json.dumps(as_plain(options), indent=2))
    if initial:
        say(f"starting from {options.init}: stage {initial.info.stage}, trained at {initial.dims.size_hw[1]} x {initial.dims.size_hw[0]}")
    if options.height_px != options.width_px:
        say("pictures are not square: these weights can be evaluated, but animate will not take them")
    say(f"data: {facts['frames']} pictures of {facts['identities']} people; held out: {facts['held_out_identities']} people")
    device = pick_device(options.device, say=say)
    if dry_run:
        for line in _sizes(dims, options):
            say(line)
        return
    perceptual = open_perceptual(options.perceptual, device, say=say)

    # 3. Save
    open_run_folder(out, options, description, resume=resume)
    log = RunLog(out, read_position(checkpoints(out)[-1]) if resume else None)

    # 4. Run
    try:
        last = checkpoints(out)[-1] if resume else None
        start = read_position(last) if last else Position(0 if options.stage0_steps else 1, 0)
        _check_totals(start, options)
        stop_at = time.monotonic() + options.stop_after if options.stop_after else math.inf
        torch.manual_seed(options.seed)
        if start.stage == 0:
            stage0 = Stage0(dims, options, perceptual, device)
            source = pairs[1].at(dims.coarse_hw, seed=_STAGE0_SEED + options.seed)
            if not _run_stage(0, stage0, source, held_out, last, options, out, log, device, stop_at, say):
                return
            initial, last = Networks(dims, WeightsInfo(dims, 1, 0), stage0.average.module, None), None
            start = Position(1, 0)
        torch.manual_seed(options.seed)
        stage1 = Stage1(dims, options, perceptual, device, initial)
        if start.stage == 1 and not _run_stage(1, stage1, pairs[1], held_out, last, options, out, log, device, stop_at, say):
            return
        torch.manual_seed(options.seed + 1)
        stage2 = Stage2(stage1.average.module, dims, options, perceptual, device, initial)
        checkpoint = last if start.stage == 2 else None
        if not _run_stage(2, stage2, pairs[2], held_out, checkpoint, options, out, log, device, stop_at, say):
            return
    finally:
        log.close()
    weights, networks = out / "weights.safetensors", {"flow_attention": stage2.flow_attention}
    if options.stage2_steps:
        networks["enhancer"] = stage2.average.module
    save_weights(weights, WeightsInfo(dims, len(networks), options.stage2_steps or options.stage1_steps), networks)
    say(f"done: {weights}" + ("" if options.stage2_steps else " (stage 1 only: stage2_steps is 0)"))


def _sizes(dims: ModelDims, options: TrainOptions) -> list[str]:
    """What the networks weigh; nothing is allocated."""
    with torch.device("meta"):
        networks = {"flow attention network": FlowAttentionNetwork(dims.flow_attention)}
        if options.stage2_steps:
            networks["enhancer"] = Enhancer(dims.enhancer)
    counts = {name: sum(parameter.numel() for parameter in network.parameters()) for name, network in networks.items()}
    lines = [f"{name}: {count / 1e6:.2f} M parameters" for name, count in counts.items()]
    # The weights, their running average, and two moments of Adam.
    return [*lines, f"a checkpoint takes about {4 * 4 * max(counts.values()) / 2**20:.0f} MiB, {options.keep_checkpoints} are kept"]


def _initial(path: Path, dims: ModelDims) -> Networks:
    """The weights that training starts from. ConfigError when they are of other networks; WeightsError when they cannot be read."""
    initial = load_networks(path)
    if (initial.dims.flow_attention, initial.dims.enhancer) != (dims.flow_attention, dims.enhancer):
        if initial.dims.preset != dims.preset:
            raise ConfigError(f"{path} holds networks of preset {initial.dims.preset}, not {dims.preset}; choose the same preset, or other weights")
        wanted = differences(initial.dims, dims, ("flow_attention", "enhancer"))
        raise ConfigError(f"{path} holds other networks: {wanted}; choose the same attention_module, prior and keep, or other weights")
    return initial


def _check_totals(start: Position, options: TrainOptions) -> None:
    """A resumed run can be made longer, not shorter than it already is."""
    done = {1: start.step if start.stage == 1 else None, 2: start.step if start.stage == 2 else 0}
    for stage, total in ((1, options.stage1_steps), (2, options.stage2_steps)):
        if done[stage] is not None and total < done[stage]:
            raise ConfigError(f"{done[stage]} steps of stage {stage} are done already; stage{stage}_steps cannot become {total}")


def _run_stage(number, stage, source, held_out, checkpoint: Path | None, options: TrainOptions, out: Path, log: RunLog, device, stop_at, say) -> bool:
    """The steps of one stage, from its checkpoint or its start, with log lines, sample grids and checkpoints; False: out of time."""
    total = getattr(options, f"stage{number}_steps")
    step = 0
    if checkpoint:
        load_checkpoint(checkpoint, stage.modules, stage.optimisers)
        step = read_position(checkpoint).step
        say(f"stage {number}: going on from step {step}")
    shown = [(held_out.at(source.size_hw) if held_out else source)[index] for index in range(_HELD_OUT_PAIRS)]
    batches = pair_batches(source, options.batch, step * options.batch, total * options.batch, options.workers)
    pace = Pace(options.batch, step, total, device)
    with tqdm(pace.waited_for(batches), total=total, initial=step, desc=f"stage {number}", unit="step", disable=None) as progress:
        for batch in progress:
            pair = network_pair(batch, device, mirror=options.mirror, colour_jitter=options.colour_jitter, seed=(options.seed, number, step))
            is_logged = (step + 1) % options.log_every == 0 or step + 1 == total
            values = stage.step(pair, step, with_statistics=is_logged)
            step += 1
            if is_logged:
                values |= pace.figures(step)
                log.write(number, step, values)
                if progress.disable:  # no terminal
                    say(pace.line(number, step, values))
                progress.set_postfix({name: f"{values[name]:.3f}" for name in ("l1", "total") if name in values})
            if step % options.sample_every == 0 or step == total:
                figures = _held_out_figures(number, stage, shown, device, out, log, step, is_held_out=held_out is not None)
                log.write(number, step, figures)
                _check_finite(figures, stage.modules, number, step)
                tqdm.write(f"stage {number}, step {step} of {total}: " + ", ".join(f"{name} {value:.4f}" for name, value in figures.items()))
            is_late = time.monotonic() >= stop_at and step < total
            if step % options.save_every == 0 or step == total or is_late:
                _check_finite({}, stage.modules, number, step)
                save_checkpoint(out, Position(number, step), stage.modules, stage.optimisers, options.keep_checkpoints)
            if is_late:
                say(f"stopped after {options.stop_after:.0f} s, as asked, at step {step} of {total} of stage {number}; go on with --resume")
                return False
    if number == 1:
        save_weights(out / "stage1.safetensors", WeightsInfo(stage.dims, 1, total), {"flow_attention": stage.average.module})
    return True


def _check_finite(figures: dict[str, float], modules: dict[str, torch.nn.Module], number: int, step: int) -> None:
    """Nothing broken is saved: the losses are looked at before an update, this looks at what it left."""
    bad = [name for name, value in figures.items() if not math.isfinite(value)]
    bad += [name for name, module in modules.items() if not all(torch.isfinite(value).all() for value in module.state_dict().values())]
    if bad:
        raise TrainingDivergedError(f"training diverged: {', '.join(bad)} not finite after step {step} of stage {number}; lower the learning rate")


def _held_out_figures(number, stage, shown: list, device, out: Path, log: RunLog, step: int, *, is_held_out: bool) -> dict[str, float]:
    """A sample grid of fixed pairs, and their L1; from people never trained on when the data set has a test split."""
    errors, grids = [], []
    for first in range(0, len(shown), _SAMPLE_PAIRS):
        pair = network_pair(collate(shown[first : first + _SAMPLE_PAIRS]), device)
        coarse, final, matte_logits = stage.show(pair)
        made = coarse.coarse if final is None else final
        errors.append(float((made - pair.I_t).abs().mean()))
        grids.append((pair, coarse, final, matte_logits))
    grid = sample_grid(*grids[0])
    save_grid(out, number, step, grid)
    log.picture(number, step, grid)
    return {"held_out_l1" if is_held_out else "fixed_pairs_l1": sum(errors) / len(errors)}


def _held_out_source(data: Path, dims: ModelDims, say) -> PairSource | None:
    try:
        clip_files(data, "test")
        return PairSource(data, "test", dims.size_hw, seed=0)
    except DatasetError as error:
        say(f"no held-out people ({error}); samples show training pairs")
        return None
