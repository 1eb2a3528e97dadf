"""The folder of a training run: what was asked for, with what, and what came of it.

    config.yaml  run.json  log.jsonl  events.out.tfevents.*  samples/  checkpoints/  weights.safetensors
"""

import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import torch
import yaml

from dancepipe import __version__
from dancepipe.config import as_plain, options_from, read_yaml
from dancepipe.errors import ConfigError, OutputError
from dancepipe.train.checkpoint import checkpoints
from dancepipe.train.options import TrainOptions

_MAY_CHANGE_ON_RESUME = ("stage1_steps", "stage2_steps", "device", "workers", "log_every", "sample_every", "save_every", "keep_checkpoints")


def describe_run(options: TrainOptions, data: Path, facts: dict) -> dict:
    """Everything that one would need to know to repeat the run."""
    return {
        "options": as_plain(options),
        "data": str(data),
        "facts": facts,
        "dancepipe": __version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "command": " ".join(sys.argv),
    }


def open_run_folder(out: Path, options: TrainOptions, description: dict, *, resume: bool) -> None:
    """Create the folder and write config.yaml and run.json before step 0.

    Raises ConfigError when a run is already there and `resume` is not asked for, when
    there is nothing to resume, or when a resumed run's options changed; OutputError
    when the folder cannot be written.
    """
    out = Path(out)
    there = checkpoints(out)
    if resume and not there:
        raise ConfigError(f"nothing to resume in {out}: no checkpoint there; start without --resume")
    if not resume and (there or (out / "weights.safetensors").exists()):
        raise ConfigError(f"{out} already holds a run; go on with --resume, or choose another --out")
    if resume:
        _same_options(out / "config.yaml", options)
    try:
        (out / "samples").mkdir(parents=True, exist_ok=True)
        _write(out / "config.yaml", yaml.safe_dump(as_plain(options), sort_keys=False))
        _write(out / "run.json", json.dumps(description, indent=2) + "\n")
    except OSError as error:
        raise OutputError(f"cannot write to {out}: {error.strerror}; choose a folder that you may write to") from error


def _same_options(path: Path, options: TrainOptions) -> None:
    before = options_from(TrainOptions, read_yaml(path), str(path))
    changed = [name for name, value in vars(before).items() if value != getattr(options, name) and name not in _MAY_CHANGE_ON_RESUME]
    if changed:
        details = ", ".join(f"{name} was {getattr(before, name)}, now {getattr(options, name)}" for name in changed)
        raise ConfigError(f"cannot resume with other options: {details}; resume with --config {path}")


def _write(path: Path, text: str) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def _commit() -> str | None:
    """The git commit of the code that runs, None outside a checkout."""
    try:
        answer = subprocess.run(
            ["git", "-C", str(Path(__file__).parent), "describe", "--always", "--dirty", "--abbrev=12"], capture_output=True, text=True, timeout=10
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


class RunLog:
    """log.jsonl (one JSON object a line, appended) and TensorBoard scalars of the same names."""

    def __init__(self, out: Path):
        from torch.utils.tensorboard import SummaryWriter

        self._file = open(Path(out) / "log.jsonl", "a", encoding="utf-8")
        self._board = SummaryWriter(str(out))
        self._started = time.monotonic()

    def write(self, stage: int, step: int, values: dict[str, float]) -> None:
        record = {"stage": stage, "step": step, "seconds": round(time.monotonic() - self._started, 2), **values}
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        for name, value in values.items():
            self._board.add_scalar(f"stage{stage}/{name}", value, step)

    def picture(self, stage: int, step: int, image) -> None:
        """A sample grid, uint8 RGB (H, W, 3)."""
        self._board.add_image(f"stage{stage}/samples", image, step, dataformats="HWC")

    def close(self) -> None:
        self._file.close()
        self._board.close()
