"""The paper's ablations and GFLA on one data set, trained by one command to one budget, scored on
the same pairs of held-out people.

    python tools/ablation.py --data DATA --out DIR --config configs/ablation/cpu.yaml [--seconds 7200] [any option of train]

Each arm is a file of configs/ablation, laid on the options given. Without --seconds every arm takes
the steps that the options name; with it a short trial measures the pace, and the steps are scaled
so that training all arms takes about that long: equal steps for all. With --with-prior the paper's
arms are taken from the model with our limb prior, which needs far fewer steps than the paper's own
to show people at all; GFLA stays as it is. The rivals of Table 1 (guided, cocos, fewshot) are arms too,
where --arms names them; tools/table1.py compares them all. Arms that differ in stage 2 alone share stage 1, which
is the same to the last bit. The command can be killed and given again: what is done stays.
DIR/table.txt is the result, DIR/pictures.jpg shows the first pair of some people by every arm,
DIR/ARM is a run of train with scores.json and report.
"""  # noqa: E501

import argparse
import json
import logging
import shutil
import statistics
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from ablation_table import sheet, table

from dancepipe.cli import add_options, parsed_options
from dancepipe.cli.screen import on_screen
from dancepipe.config import as_plain, merged, options_from, read_yaml
from dancepipe.data.store import clip_files
from dancepipe.errors import ConfigError, DancepipeError
from dancepipe.evaluation.evaluate import evaluate
from dancepipe.evaluation.options import EvaluateOptions
from dancepipe.files.whole_file import write_text
from dancepipe.training.checkpoint import checkpoints
from dancepipe.training.options import TrainOptions
from dancepipe.training.train import train

log = logging.getLogger("dancepipe.tools")

CONFIGS = Path(__file__).parent.parent / "configs" / "ablation"
_TRIAL_STEPS = 8  # of each stage, to measure the pace


@dataclass(frozen=True)
class Arm:
    """One row of the table: NAME.yaml of configs/ablation."""

    name: str
    title: str
    after: str | None = None  # the arm whose stage 1 it shares
    of_paper: bool = True  # of Table 2: may be taken from the model with our prior too


ARMS = (  # an arm comes after the one that it shares with
    Arm("full", "Full"),
    Arm("no_enhancer", "w/o Enhancement Network", after="full"),
    Arm("no_face", "w/o Face Loss", after="full"),
    Arm("no_attention", "w/o Flow Attn Module"),
    Arm("gfla", "GFLA", of_paper=False),
    Arm("prior", "Full with limb prior (ours)", of_paper=False),
    Arm("prior_no_enhancer", "the same w/o enhancer", after="prior", of_paper=False),
)

RIVALS = (  # of Table 1, where they are named
    Arm("guided", "Guided-Pix2Pix", of_paper=False),
    Arm("cocos", "CoCosNet", of_paper=False),
    Arm("fewshot", "Few-shot-vid2vid", of_paper=False),
)


def ablation(
    data: Path,
    out: Path,
    base: TrainOptions,
    *,
    arms: tuple[Arm, ...] = ARMS,
    with_prior: bool = False,
    seconds: float = 0,
    scoring: EvaluateOptions = EvaluateOptions(),
) -> str:
    """Train what is not trained, score what is not scored, write and return the table. Raises
    what train and evaluate raise."""
    if base.init:
        raise ConfigError("every arm starts from nothing; leave --init out")
    if missing := {arm.after for arm in arms} - {arm.name for arm in arms} - {None}:
        raise ConfigError(
            f"some of these arms share the first stage of {', '.join(sorted(missing))}; add it "
            "to --arms"
        )
    for split in ("train", "test"):  # before anything is written
        clip_files(data, split)
    options = {arm.name: arm_options(arm, base, with_prior=with_prior) for arm in arms}
    asked = {
        "data": str(Path(data).resolve()),
        "options": as_plain(base),
        "arms": list(options),
        "with_prior": with_prior,
    }
    asked |= {"seconds": seconds, "scoring": as_plain(scoring)}
    options = trained_and_scored(data, out, arms, options, asked, seconds, scoring)
    titles = {arm.name: arm.title for arm in arms}
    text = table(out, titles, options)
    write_text(out / "table.txt", text + "\n")
    sheet(
        out / "pictures.jpg",
        data,
        {title: out / name / "weights.safetensors" for name, title in titles.items()},
        scoring,
    )
    return text


def trained_and_scored(
    data: Path,
    out: Path,
    arms: tuple[Arm, ...],
    options: dict[str, TrainOptions],
    asked: dict,
    seconds: float,
    scoring: EvaluateOptions,
) -> dict[str, TrainOptions]:
    """Every arm in OUT/NAME, as far as it is not there yet; the options with the steps that were
    planned. asked: what another call must ask for too, to go on here."""
    options = dict(options)
    steps = _planned_steps(
        out / "plan.json", asked, lambda: _steps(data, out, arms, options, seconds)
    )
    for arm in arms:
        options[arm.name] = replace(options[arm.name], **steps[arm.name])
        run = out / arm.name
        if not (run / "weights.safetensors").exists():
            log.info(f"--- {arm.title}")
            own = options[arm.name]
            if arm.after:
                own = replace(
                    own,
                    init=str(out / arm.after / "stage1.safetensors"),
                    stage0_steps=0,
                    stage1_steps=0,
                )
            train(data, run, own, resume=bool(checkpoints(run)))
    for place, arm in enumerate(arms):
        scores = out / arm.name / "scores.json"
        if not scores.exists():  # what learns nothing is scored once, with the first
            own = replace(scoring, baselines=scoring.baselines if place == 0 else "none")
            evaluate(
                weights=out / arm.name / "weights.safetensors",
                data=data,
                out=scores,
                options=own,
            )
    return options


def arm_options(arm: Arm, base: TrainOptions, *, with_prior: bool = False) -> TrainOptions:
    """The arm's configuration laid on `base`; with_prior: what it takes away is taken from the
    model with our prior."""
    path = CONFIGS / f"{arm.name}.yaml"
    options = options_from(TrainOptions, merged(as_plain(base), read_yaml(path)), str(path))
    if with_prior and arm.of_paper:
        options = replace(options, prior="limbs", keep=True)
    if options.system != base.system:  # it has one stage
        options = replace(
            options, stage1_steps=base.stage1_steps + base.stage2_steps, stage2_steps=0
        )
    if options.perceptual == "none" and arm.name == "gfla":
        # Its flow would have no teacher at all: the correctness term needs features. table() says
        # so.
        options = replace(
            options, weights=replace(options.weights, flow_image=base.weights.flow_image)
        )
    return options


def _planned_steps(path: Path, asked: dict, plan: Callable[[], dict]) -> dict[str, dict[str, int]]:
    """Steps of every arm: made once and kept, so that the same command goes on with them.
    ConfigError when the folder holds another plan."""
    if path.exists():
        kept = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name, value in asked.items() if kept["asked"][name] != value]
        if changed:
            raise ConfigError(
                f"{path.parent} holds an ablation with other {', '.join(changed)}; give the "
                "same, or choose another --out"
            )
        return kept["steps"]
    steps = plan()
    write_text(path, json.dumps({"asked": asked, "steps": steps}, indent=2) + "\n")
    return steps


def _steps(
    data: Path,
    out: Path,
    arms: tuple[Arm, ...],
    options: dict[str, TrainOptions],
    seconds: float,
) -> dict[str, dict[str, int]]:
    """As the options name them, or scaled so that all training takes about `seconds`."""
    stages = ("stage1_steps", "stage2_steps")
    named = {
        arm.name: {stage: getattr(options[arm.name], stage) for stage in stages} for arm in arms
    }
    if not seconds:
        return named
    total = 0.0
    for arm in arms:
        trained = {
            1: 0 if arm.after else named[arm.name]["stage1_steps"],
            2: named[arm.name]["stage2_steps"],
        }
        pace = _pace(data, out / "pace", options[arm.name], trained)
        log.info(
            f"{arm.title}: "
            + (
                ", ".join(f"stage {stage} {pace[stage]:.2f} s a step" for stage in pace)
                or "nothing to train of its own"
            )
        )
        total += sum(trained[stage] * pace[stage] for stage in pace)
    scale = seconds / total
    steps = {
        name: {stage: max(1, round(count * scale)) if count else 0 for stage, count in both.items()}
        for name, both in named.items()
    }
    log.info(
        f"the steps named would take {total:.0f} s; with {scale:.3f} of them: {json.dumps(steps)}"
    )
    return steps


def _pace(
    data: Path, out: Path, options: TrainOptions, trained: dict[int, int]
) -> dict[int, float]:
    """Seconds a step of each stage that is trained, the median of a short trial."""
    shutil.rmtree(out, ignore_errors=True)
    counts = {stage: _TRIAL_STEPS if count else 0 for stage, count in trained.items()}
    rare = {"sample_every": 10**6, "save_every": 10**6, "log_every": 1}
    if not any(counts.values()):
        return {}
    train(
        data,
        out,
        replace(options, stage0_steps=0, stage1_steps=counts[1], stage2_steps=counts[2], **rare),
    )
    records = [
        json.loads(line) for line in (out / "log.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    shutil.rmtree(out)
    rates = {
        stage: [
            one["samples_per_second"]
            for one in records
            if one["stage"] == stage and "samples_per_second" in one
        ]
        for stage in counts
    }
    return {
        stage: options.batch / statistics.median(values)
        for stage, values in rates.items()
        if values
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        help="folder of a data set with a test split: the held-out people",
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of everything, begun or gone on with"
    )
    parser.add_argument(
        "--arms",
        help=f"some of {','.join(arm.name for arm in (*ARMS, *RIVALS))} (default: all but the last "
        "three)",
    )
    parser.add_argument(
        "--with-prior",
        action="store_true",
        help="the paper's arms with our limb prior in all of them",
    )
    parser.add_argument(
        "--seconds",
        type=float,
        default=0,
        help="scale the steps so that training all arms takes about that long; 0: as the options "
        "say",
    )
    parser.add_argument(
        "--pairs-per-person",
        type=int,
        default=EvaluateOptions.pairs_per_person,
        help="pairs that are scored of each held-out person",
    )
    parser.add_argument(
        "--small",
        action="store_true",
        help="give FID for fewer than 2,048 pairs too, marked as such",
    )
    parser.add_argument(
        "--metric-weights",
        help="folder with the weights of Inception and LPIPS (else torch's download cache)",
    )
    add_options(parser, TrainOptions)
    given = parser.parse_args(arguments)
    try:
        all_of_them = [
            arm.name for arm in ARMS if not (given.with_prior and arm.name.startswith("prior"))
        ]  # which full is then
        wanted = [name.strip() for name in given.arms.split(",")] if given.arms else all_of_them
        known = (*ARMS, *RIVALS)
        if unknown := set(wanted) - {arm.name for arm in known}:
            raise ConfigError(
                f"unknown arms {', '.join(sorted(unknown))}; known are "
                f"{', '.join(arm.name for arm in known)}"
            )
        base = parsed_options(given)
        scoring = EvaluateOptions(
            pairs_per_person=given.pairs_per_person,
            small=given.small,
            metric_weights=given.metric_weights,
            device=base.device,
        )
        arms = tuple(arm for arm in known if arm.name in wanted)
        print(
            ablation(
                given.data,
                given.out,
                base,
                arms=arms,
                with_prior=given.with_prior,
                seconds=given.seconds,
                scoring=scoring,
            )
        )
    except DancepipeError as error:
        print(f"ablation: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("ablation: stopped; the same command goes on from what is whole", file=sys.stderr)
        return 130
    return 0


if __name__ == "__main__":
    with on_screen(quiet=False):
        sys.exit(main())
