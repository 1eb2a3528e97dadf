"""All five systems of Table 1 side by side: parameters, a frame, a training step, and what a step
keeps for its gradients (`tools/bench_train.py --systems`)."""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import torch
from table1 import ROWS, row_options

from dancepipe.losses.perceptual import open_perceptual
from dancepipe.processes import Processes
from dancepipe.systems.names import system_of
from dancepipe.systems.open import open_system
from dancepipe.systems.stage import NetworkPair, Stage
from dancepipe.systems.system import System
from dancepipe.systems.weights import WeightsInfo, save_weights
from dancepipe.training.options import TrainOptions


@dataclass
class Measured:
    """Of one system; of several stages the dearest step."""

    stages: list[Stage]
    system: System
    parameters: int
    encode: list[float]  # seconds, a reference
    draw: list[float]  # a frame of a reference that is known
    step: list[float]  # a picture of a step
    kept_bytes: float  # a picture of a step


def five(base: TrainOptions, *, small: bool, device: str) -> dict[str, Measured]:
    """Those of table1.py without a prior, from nothing."""
    processes, found = Processes(0, 1, device), {}
    for row in ROWS:
        if row.prior != "none":
            continue
        options = replace(row_options(row, base, small), device=device)
        training = system_of(options.system).training
        assert training is not None  # all of them learn
        made = training()
        dims = made.dims(options, None)
        perceptual = (
            open_perceptual(options.perceptual, device, made.layers) if made.layers else None
        )
        stages = list(made.stages(dims, options, perceptual, processes, None))
        last = stages[-1]
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "weights.safetensors"
            save_weights(path, WeightsInfo(last.dims, last.number, 0), last.renders)
            system = open_system(path, device)
        parameters = sum(
            parameter.numel() for one in last.renders.values() for parameter in one.parameters()
        )
        found[row.title] = Measured(stages, system, parameters, [], [], [], 0.0)
    return found


def measure(
    found: dict[str, Measured],
    pair: NetworkPair,
    rounds: int,
    seconds: Callable[[Callable[[], object], str], float],
    device: str,
) -> None:
    """Interleaved rounds; the first one warms up and is left out."""
    images = ((pair.I_r[:1] + 1) * 127.5).round().to(torch.uint8).permute(0, 2, 3, 1).cpu()
    masks = (pair.matte_r[:1, 0] * 255).to(torch.uint8).cpu()
    poses_r, poses_t = pair.poses_r[[0]], pair.poses_t[[0]]
    count = len(pair.I_t)
    for number in range(rounds + 1):
        for one in found.values():
            state = one.system.encode(images, masks, poses_r)
            encode = seconds(partial(one.system.encode, images, masks, poses_r), device)
            draw = seconds(partial(one.system.draw, state, poses_t), device)
            steps = [
                seconds(partial(stage.step, [pair], number, with_statistics=False), device)
                for stage in one.stages
            ]
            if number:
                one.encode.append(encode)
                one.draw.append(draw)
                one.step.append(max(steps) / count)
    for one in found.values():
        one.kept_bytes = max(kept(stage, pair) for stage in one.stages) / count


def kept(stage: Stage, pair: NetworkPair) -> int:
    """Bytes of all tensors that a step's autograd holds, each storage once."""
    storages: dict[int, int] = {}
    held = []  # so that no address is used twice

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        held.append(storage)
        return tensor

    of_weights = {
        parameter.untyped_storage().data_ptr()
        for module in stage.modules.values()
        for parameter in module.parameters()
    }
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        stage.step([pair], 0, with_statistics=False)
    return sum(size for address, size in storages.items() if address not in of_weights)


def text(found: dict[str, Measured]) -> str:
    """The table."""
    lines = [
        f"{'':18} {'M parameters':>13} {'encode, ms':>11} {'frame, ms':>10} {'step, ms':>9} "
        f"{'kept, MiB':>10}"
    ]
    for title, one in found.items():
        encode, draw, step = (min(times) * 1000 for times in (one.encode, one.draw, one.step))
        lines.append(
            f"{title:18} {one.parameters / 1e6:13.2f} {encode:11.0f} {draw:10.0f} {step:9.0f} "
            f"{one.kept_bytes / 2**20:10.1f}"
        )
    lines.append(
        "frame: of a reference that is encoded already. step, kept (what its gradients need, all "
        "networks together): a picture, of the dearest stage."
    )
    return "\n".join(lines)
