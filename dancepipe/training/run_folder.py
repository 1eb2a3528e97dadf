"""The folder of a training run: what was asked for, with what, and what came of it.

config.yaml  run.json  log.jsonl  samples/  checkpoints/  best/  weights.safetensors, and
events.out.tfevents.* with the extra `tensorboard`
"""

import json
import logging
import platform
import subprocess
import sys
import time
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import Any

import torch
import yaml

from dancepipe import __version__
from dancepipe.address import without_secrets
from dancepipe.config import as_plain, options_from, read_yaml
from dancepipe.errors import ConfigError, OutputError
from dancepipe.files.json_lines import LineFile, read_lines
from dancepipe.files.plain_text import read_json
from dancepipe.files.whole_file import make_folder, write_text
from dancepipe.training.checkpoint import Position, checkpoints
from dancepipe.training.options import TrainOptions

log = logging.getLogger(__name__)

_MAY_CHANGE_ON_RESUME = (
    "stage1_steps", "stage2_steps", "accumulate", "compile", "device", "workers", "assets",
    "log_every", "sample_every", "held_out_pre", "save_every", "keep_checkpoints", "stop_after",
)  # fmt: skip


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
        "command": without_secrets(" ".join(sys.argv)),
    }


def open_run_folder(out: Path, options: TrainOptions, description: dict, *, resume: bool) -> None:
    """Create the folder and write config.yaml and run.json before step 0.

    resume: go on from the last checkpoint; where there is none yet, begin, which is said.
    Raises ConfigError when a run is already there and `resume` is not asked for, or when a resumed
    run's options changed; OutputError when the folder cannot be written.
    """
    out = Path(out)
    there = checkpoints(out)
    if not resume and there:
        raise ConfigError(
            f"{out} already holds a run; go on with --resume, or choose another --out"
        )
    if not there and (out / "weights.safetensors").exists():
        raise ConfigError(f"{out} already holds weights, and no checkpoint; choose another --out")
    if there:
        _same_options(out / "config.yaml", options)
        _same_data(out / "run.json", description)
    elif resume:
        log.info(f"nothing to resume in {out} yet: no checkpoint there; beginning")
    make_folder(out / "samples")
    write_text(out / "config.yaml", yaml.safe_dump(as_plain(options), sort_keys=False))
    if not there:
        write_text(out / "run.json", json.dumps(description, indent=2) + "\n")


def _same_options(path: Path, options: TrainOptions) -> None:
    before = options_from(TrainOptions, read_yaml(path), str(path))
    changed = [
        name
        for name, value in vars(before).items()
        if value != getattr(options, name) and name not in _MAY_CHANGE_ON_RESUME
    ]
    if changed:
        details = ", ".join(
            f"{name} was {getattr(before, name)}, now {getattr(options, name)}" for name in changed
        )
        raise ConfigError(
            f"cannot resume with other options: {details}; resume with --config {path}"
        )


def _same_data(path: Path, description: dict) -> None:
    try:
        run: Any = read_json(path)  # what is not as open_run_folder writes it is caught below
        before = run["facts"]["fingerprint"]
    except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
        raise ConfigError(
            f"cannot tell which data {path.parent} was trained on ({error}); start anew in "
            "another --out"
        ) from error
    if before != description["facts"]["fingerprint"]:
        raise ConfigError(
            f"cannot resume on other data: {description['data']} is not, or no longer, what "
            f"{path.parent} was trained on"
        )


def _commit() -> str | None:
    """The git commit of the code that runs, None outside a checkout."""
    try:
        answer = subprocess.run(
            [
                "git",
                "-C",
                str(Path(__file__).parent),
                "describe",
                "--always",
                "--dirty",
                "--abbrev=12",
            ],
            capture_output=True,
            text=True,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip() or None


class RunLog:
    """log.jsonl (one JSON object a line) and, with the extra `tensorboard`, TensorBoard scalars of
    the same names. Raises OutputError when the disk is full.

    resumed_at: what was logged after that position is cut off, since it will be logged again; None:
    a fresh log. Lines that a crash tore are left out, and said.
    """

    def __init__(self, out: Path, resumed_at: Position | None):
        self._path = Path(out) / "log.jsonl"
        with self._said():
            before, damaged = read_lines(self._path, _is_log_line) if resumed_at else ([], 0)
        if damaged:
            log.warning(f"{self._path}: {damaged} damaged line{'s'[: damaged > 1]} left out")
        kept = self._before = [
            record
            for record in before
            if resumed_at and _at(record) <= (resumed_at.stage, resumed_at.step)
        ]
        self._seconds_before = self._before[-1]["seconds"] if kept else 0.0
        self._started = time.monotonic()
        if not resumed_at:
            for events in Path(out).glob("events.out.tfevents.*"):
                events.unlink()
        with self._said():
            write_text(self._path, "".join(json.dumps(record) + "\n" for record in kept))
            self._file = LineFile(self._path)
            self._board = _open_board(out)

    def write(self, stage: int, step: int, values: dict[str, float]) -> None:
        seconds = round(self._seconds_before + time.monotonic() - self._started, 2)
        with self._said():
            self._file.add({"stage": stage, "step": step, "seconds": seconds, **values})
            if self._board:
                for name, value in values.items():
                    self._board.add_scalar(f"stage{stage}/{name}", value, step)

    def lowest_before(self, stage: int, name: str) -> float | None:
        """Of a number of that stage, in what the log holds of before this resumption."""
        return min(
            (
                record[name]
                for record in self._before
                if record["stage"] == stage and name in record
            ),
            default=None,
        )

    def picture(self, stage: int, step: int, image) -> None:
        """A sample grid, uint8 RGB (H, W, 3), for TensorBoard."""
        if not self._board:
            return
        with self._said():
            self._board.add_image(f"stage{stage}/samples", image, step, dataformats="HWC")

    def __enter__(self) -> "RunLog":
        return self

    def __exit__(self, kind, *_) -> None:
        with suppress(OutputError) if kind else nullcontext():  # what went wrong first is told
            self.close()

    def close(self) -> None:
        """Write what still waits. OutputError."""
        self._file.close()
        if self._board:
            with self._said():
                self._board.close()

    @contextmanager
    def _said(self):
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot write the log {self._path}: {error.strerror or error}; free some space "
                "and resume"
            ) from error


def _open_board(out: Path):
    """TensorBoard's writer, None where it is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        log.info(
            f"no files for TensorBoard ({error}); log.jsonl has every number; for both: pip "
            "install 'dancepipe[tensorboard]'"
        )
        return None
    return SummaryWriter(str(out))


def _is_log_line(record: dict) -> bool:
    """Whether it has what resuming looks at."""
    counts = type(record.get("stage")) is int and type(record.get("step")) is int
    return counts and "seconds" in record and all(map(_is_number, record.values()))


def _is_number(value: object) -> bool:
    """That of a loss may be nan; a whole number of a million digits is none."""
    return type(value) is float or (type(value) is int and abs(value) < 2**63)


def _at(record: dict) -> tuple[int, int]:
    return record["stage"], record["step"]
