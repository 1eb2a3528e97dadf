"""The training step of stage 1, and the forward pass of one frame, against the naive arrangement of
the same arithmetic.

    python tools/bench_train.py [--preset base] [--side-px 256] [--batch 2] [--rounds 3] [--compile]
    python tools/bench_train.py --systems [--small-networks] [--preset paper]    # the five systems of Table 1

Naive is GFLA's: local attention with its window^2 copies, the reference encoded anew for every
frame, tensors in NCHW, PyTorch's instance norm. Weights and numbers are the same, which is checked
first. On the CPU, CPU time of one thread is measured, since wall time is at the mercy of other
programs; rounds are interleaved, and the ratios are of times of one round: median of the rounds.
With --systems there is no naive way: the five systems stand beside each other.
"""  # noqa: E501

import argparse
import statistics
import time
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from functools import cached_property, partial
from unittest.mock import patch

import torch
import torch.nn.functional as F
from bench_systems import five, measure, text

from dancepipe.losses.perceptual import open_perceptual
from dancepipe.nn import blocks
from dancepipe.nn.local_attention import LocalAttention, literal_local_attention
from dancepipe.processes import Processes
from dancepipe.systems.focus_retain.coarse_input import CoarseInput
from dancepipe.systems.focus_retain.dims import PRESETS
from dancepipe.systems.focus_retain.loss_weights import LossWeights
from dancepipe.systems.focus_retain.stages import Stage1
from dancepipe.systems.stage import NetworkPair
from dancepipe.training.options import TrainOptions

NAIVE = "naive"


class LiteralAttention(LocalAttention):
    """The definition, with the same parameters."""

    def key_map(self, source):
        return source[:, :0]  # nothing is prepared

    def forward(self, source, key, target, flow):
        return literal_local_attention(self, source.expand(len(target), -1, -1, -1), target, flow)


@contextmanager
def naive_arithmetic():
    """PyTorch's instance norm, and maps in NCHW."""
    drawn = CoarseInput.of

    def in_nchw(*arguments) -> CoarseInput:
        given = drawn(*arguments)
        return replace(
            given,
            **{name: getattr(given, name).contiguous() for name in ("S_r", "S_t", "J_r", "J_t")},
        )

    def norm(x, weight=None, bias=None, epsilon=1e-5):
        return F.instance_norm(x, None, None, weight, bias, eps=epsilon)

    with patch.object(blocks, "instance_norm", norm), patch.object(CoarseInput, "of", in_nchw):
        yield


def make_naive(stage: Stage1) -> None:
    """In place: literal attention, NCHW."""
    for module in stage.modules.values():
        module.to(memory_format=torch.contiguous_format)
        for attention in module.modules():
            if type(attention) is LocalAttention:
                attention.__class__ = (
                    LiteralAttention  # the same parameters under the same names, another forward
                )


def drawn_pair(batch: int, side_px: int, device: str) -> NetworkPair:
    """Noise in the shape of a person's pictures, joints all over: arithmetic takes as long
    whatever is to be seen."""
    random = torch.Generator().manual_seed(0)
    I_r, I_t = (torch.rand(batch, 3, side_px, side_px, generator=random) * 2 - 1 for _ in range(2))
    matte = torch.ones(batch, 1, side_px, side_px)
    joints_r, joints_t = (
        torch.cat(
            (torch.rand(batch, 18, 2, generator=random) * side_px, torch.ones(batch, 18, 1)), 2
        )
        for _ in range(2)
    )
    on_device = [one.to(device) for one in (I_r, I_t, matte, matte, joints_r, joints_t)]
    return NetworkPair(*on_device, joints_r, joints_t)


def each(pair: NetworkPair, change) -> NetworkPair:
    return NetworkPair(
        **{name: None if value is None else change(value) for name, value in vars(pair).items()}
    )


def in_format(pair: NetworkPair, memory_format) -> NetworkPair:
    return each(
        pair,
        lambda value: value.contiguous(memory_format=memory_format) if value.dim() == 4 else value,
    )


@dataclass
class Way:
    """One way of doing the same."""

    stage: Stage1
    pair: NetworkPair
    is_naive: bool = False
    steps: int = 0

    def step(self) -> float:
        with self._arithmetic():
            numbers = self.stage.step([self.pair], self.steps, with_statistics=False)
        self.steps += 1
        return float(numbers["total"])

    def encode(self):
        """What a frame reuses of the reference; nothing in the naive way."""
        given, network = self.given, self.stage.flow_attention.eval()
        return None if self.is_naive else network.encode_reference(given.I_r, given.S_r, given.J_r)

    def frame(self, known) -> torch.Tensor:
        given, network = self.given, self.stage.flow_attention
        with self._arithmetic():
            known = known or network.encode_reference(given.I_r, given.S_r, given.J_r)
            return network.render(known, given.S_t, given.J_t, given.prior).coarse

    @cached_property
    def given(self) -> CoarseInput:
        """Of one frame, drawn before anything is measured."""
        one = each(self.pair, lambda value: value[:1])
        with self._arithmetic():
            return CoarseInput.of(one, self.stage.flow_attention)

    def _arithmetic(self):
        return naive_arithmetic() if self.is_naive else nullcontext()


def seconds(work, device: str) -> float:
    """CPU time of this process, or wall time of a GPU."""
    clock = time.process_time
    if device != "cpu":
        torch.cuda.synchronize()
        clock = time.perf_counter
    started = clock()
    work()
    if device != "cpu":
        torch.cuda.synchronize()
    return clock() - started


def table(title: str, times: dict[str, list[float]], pictures: int) -> None:
    print(f"\n{title}\n{'':24} {'ms a picture':>13} {'naive takes':>12}")
    for name, own in times.items():
        ratio = statistics.median(naive / mine for naive, mine in zip(times[NAIVE], own))
        print(f"{name:24} {min(own) / pictures * 1000:13.0f} {ratio:11.2f}x")


def systems_table(given: argparse.Namespace) -> str:
    base = TrainOptions(
        preset=given.preset,
        height_px=given.side_px,
        width_px=given.side_px,
        batch=given.batch,
        perceptual=given.perceptual,
    )
    found = five(base, small=given.small_networks, device=given.device)
    pair = drawn_pair(given.batch, given.side_px, given.device)
    measure(found, pair, given.rounds, seconds, given.device)
    clock = "one thread, CPU time" if given.device == "cpu" else given.device
    return (
        f"{given.side_px} x {given.side_px}, batch {given.batch}, preset {given.preset}, "
        f"perceptual {given.perceptual}, {clock}, best of {given.rounds} rounds\n{text(found)}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--preset", default="base", choices=tuple(PRESETS))
    parser.add_argument("--side-px", type=int, default=256)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--perceptual", default="none", help="none, or random: VGG-19 in both ways")
    parser.add_argument(
        "--compile", action="store_true", help="also compiled: minutes of compiling first"
    )
    parser.add_argument("--systems", action="store_true", help="all five systems of Table 1")
    parser.add_argument(
        "--small-networks", action="store_true", help="the rivals in their narrow reading"
    )
    parser.add_argument("--device", default="cpu")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.systems:
        print(systems_table(given))
        return

    options = TrainOptions(preset=given.preset, batch=given.batch, weights=LossWeights())
    dims = replace(PRESETS[given.preset], size_hw=(given.side_px, given.side_px))
    pair, processes = (
        drawn_pair(given.batch, given.side_px, given.device),
        Processes(0, 1, given.device),
    )

    def way(**changes) -> Way:
        torch.manual_seed(0)
        stage = Stage1(
            dims,
            replace(options, **changes),
            open_perceptual(given.perceptual, given.device),
            processes,
        )
        return Way(stage, in_format(pair, torch.channels_last))

    naive = way()
    make_naive(naive.stage)
    naive.pair, naive.is_naive = in_format(pair, torch.contiguous_format), True
    ways = {NAIVE: naive, "fp32": way(), "bf16": way(precision="bf16")}
    if given.compile:
        ways |= {
            "fp32, compiled": way(compile=True),
            "bf16, compiled": way(precision="bf16", compile=True),
        }

    with torch.inference_mode():
        pictures = [one.frame(one.encode()) for one in (naive, ways["fp32"])]
    difference = (pictures[0] - pictures[1]).abs().max().item()
    assert difference < 1e-3, f"the two arrangements differ by {difference}"
    print(f"the same picture both ways, largest difference {difference:.1e}", flush=True)

    frames = {name: [] for name in (NAIVE, "fp32")}
    with torch.inference_mode():
        known = {name: ways[name].encode() for name in frames}
        for _ in range(given.rounds + 1):  # the first warms up
            for name, own in frames.items():
                own.append(seconds(partial(ways[name].frame, known[name]), given.device))
    what = (
        f"{given.preset}, {given.side_px} x {given.side_px}, "
        f"{'one thread, CPU time' if given.device == 'cpu' else given.device}"
    )
    table(
        f"forward of the flow attention network, reference cached but in the naive way ({what}, "
        "batch 1)",
        {name: own[1:] for name, own in frames.items()},
        1,
    )

    totals = {name: one.step() for name, one in ways.items()}  # warms up, compiles
    print(
        "\nthe first step's loss: "
        + ", ".join(f"{name} {value:.5f}" for name, value in totals.items()),
        flush=True,
    )
    steps: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(given.rounds):
        for name, one in ways.items():
            steps[name].append(seconds(one.step, given.device))
    table(
        f"training step of stage 1 with D ({what}, batch {given.batch}, perceptual "
        f"{given.perceptual})",
        steps,
        given.batch,
    )


if __name__ == "__main__":
    main()
