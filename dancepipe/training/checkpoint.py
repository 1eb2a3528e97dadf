"""Everything that the next training step depends on, in a folder that is whole or absent.

    checkpoints/stage1-000500/{networks,optimisers}.safetensors, state.json

Nothing is pickled and nothing is unpickled. The data order and the augmentation
are functions of (seed, step), so the step is their whole state.
"""

import json
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

from dancepipe.errors import OutputError, WeightsError
from dancepipe.files.plain_text import read_json
from dancepipe.files.whole_file import whole_folder, write_text
from dancepipe.systems.weights import read_tensors, write_tensors

_ADAM_STATE = ("exp_avg", "exp_avg_sq", "step")


@dataclass(frozen=True)
class Position:
    """Where a run stands: `step` steps of `stage` are done."""

    stage: int
    step: int

    @property
    def name(self) -> str:
        return f"stage{self.stage}-{self.step:07d}"


def save_checkpoint(
    folder: Path,
    position: Position,
    modules: dict[str, torch.nn.Module],
    optimisers: dict[str, torch.optim.Adam],
    keep: int,
) -> Path:
    """Write checkpoints/NAME under `folder` and remove all but the last `keep`. An optimiser's name
    is its module's.

    Raises OutputError when the folder cannot be written or the disk is full; older checkpoints stay
    then.
    """
    parent = Path(folder) / "checkpoints"
    final = parent / position.name
    try:
        with whole_folder(final) as part:
            _fill(part, position, modules, optimisers)
    except OutputError as error:
        raise OutputError(
            f"cannot write checkpoint {final} ({error}); free some space and resume from the "
            "last one"
        ) from error
    for old in checkpoints(folder)[:-keep]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def _fill(part: Path, position: Position, modules, optimisers) -> None:
    networks = {
        f"{name}.{key}": value
        for name, module in modules.items()
        for key, value in module.state_dict().items()
    }
    write_tensors(part / "networks.safetensors", networks, {})
    write_tensors(part / "optimisers.safetensors", _optimiser_tensors(modules, optimisers), {})
    write_text(part / "state.json", json.dumps({"stage": position.stage, "step": position.step}))


def _optimiser_tensors(modules, optimisers) -> dict[str, torch.Tensor]:
    tensors = {}
    for name, optimiser in optimisers.items():
        for key, parameter in modules[name].named_parameters():
            for part in _ADAM_STATE:
                if parameter in optimiser.state:
                    tensors[f"{name}.{part}.{key}"] = torch.as_tensor(
                        optimiser.state[parameter][part]
                    )
    return tensors


def checkpoints(folder: Path) -> list[Path]:
    """The whole checkpoints of a run folder, oldest first."""
    return sorted(path for path in (Path(folder) / "checkpoints").glob("stage?-*") if path.is_dir())


def read_position(checkpoint: Path) -> Position:
    """Raises WeightsError for a damaged checkpoint."""
    try:
        state = read_json(checkpoint / "state.json")
    except (OSError, ValueError) as error:
        raise _damaged(checkpoint, str(error)) from error
    there = state if isinstance(state, dict) else {}
    stage, step = there.get("stage"), there.get("step")
    if type(stage) is not int or type(step) is not int or min(stage, step) < 0:
        raise _damaged(checkpoint, "state.json needs a stage and a step, whole numbers")
    if stage > 2:
        raise _damaged(checkpoint, f"state.json names stage {stage}; there are 0 to 2")
    return Position(stage, step)


def _damaged(checkpoint: Path, reason: str) -> WeightsError:
    return WeightsError(
        f"checkpoint {checkpoint} is damaged ({reason}); "
        "delete that folder and resume from the one before"
    )


def load_checkpoint(
    checkpoint: Path, modules: dict[str, torch.nn.Module], optimisers: dict[str, torch.optim.Adam]
) -> None:
    """Fill the modules, and the optimisers of those that are trained. Raises WeightsError for a
    damaged or foreign checkpoint."""
    try:
        networks, _ = read_tensors(checkpoint / "networks.safetensors")
        states, _ = read_tensors(checkpoint / "optimisers.safetensors")
    except WeightsError as error:
        raise WeightsError(
            f"checkpoint {checkpoint} is damaged; delete that folder and resume from the one before"
        ) from error
    try:
        for name, module in modules.items():
            module.load_state_dict(
                {
                    key.removeprefix(name + "."): value
                    for key, value in networks.items()
                    if key.startswith(name + ".")
                }
            )
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise WeightsError(
            f"checkpoint {checkpoint} does not fit this run ({reason}); resume with the options "
            "it was made with"
        ) from error
    for name, optimiser in optimisers.items():
        for key, parameter in modules[name].named_parameters():
            found = {part: states.get(f"{name}.{part}.{key}") for part in _ADAM_STATE}
            if all(value is None for value in found.values()):
                continue
            kept = {}
            for part, value in found.items():
                shape = () if part == "step" else parameter.shape
                if value is None or value.shape != shape:
                    raise _damaged(
                        checkpoint, f"the optimiser's {part} of {name}.{key} does not fit"
                    )
                kept[part] = value.to("cpu" if part == "step" else parameter.device)
            optimiser.state[parameter] = kept
