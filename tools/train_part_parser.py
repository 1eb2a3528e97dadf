"""Train the part parser that ships: render people with exact labels, train, write the weights. Run
it again and it goes on.

    python tools/train_part_parser.py --state runs/parser --assets DIR [--people 1000] [--steps 5000]

The people are those of the data sets of rendered dancers, at 128 px, with camera faults; of 40 % of
the pictures mask and joints come from the person finder. Every twentieth person is held out; the
intersection over union of each class on them is printed with each checkpoint.
"""  # noqa: E501

import argparse
import io
import sys
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from dancepipe.body.part_parser import (
    CLASSES,
    SIDE_PX,
    PartParser,
    joint_heat,
    network_inputs,
)
from dancepipe.errors import DancepipeError
from dancepipe.files.npz_file import read_npz
from dancepipe.files.whole_file import make_folder, write_bytes
from dancepipe.progress import counted
from dancepipe.records import GREY
from dancepipe.skeletons import OPENPOSE_18
from dancepipe.synthetic.assets import load_assets
from dancepipe.synthetic.frames import FrameOptions, frames_of_person
from dancepipe.synthetic.part_classes import part_classes
from dancepipe.synthetic.person import draw_person
from dancepipe.systems.weights import write_tensors
from dancepipe.training.checkpoint import (
    Position,
    checkpoints,
    load_checkpoint,
    read_position,
    save_checkpoint,
)

SEED = 11
PICTURES_A_PERSON = 10
HELD_OUT = 20  # every so many people
BATCH = 16
LEARNING_RATE, WARM_UP, WEIGHT_DECAY = 1e-3, 100, 1e-3
SAVE_EVERY = 200
UNSURE = 40  # of a mask: a person there is not asked for
NAMES = ("images", "masks", "joints", "labels")


def render_people(state: Path, assets_folder: Path, people: int) -> list[Path]:
    """A file for each person; those that are there stay."""
    assets, found = load_assets(assets_folder), []
    options = FrameOptions(SIDE_PX, 2, degraded=True, detected_share=0.4)
    make_folder(state / "people")
    for number in counted(range(people), desc="people", unit="person"):
        path = state / "people" / f"{number:05d}.npz"
        found.append(path)
        if path.exists():
            continue
        person = draw_person(assets, (SEED, number))
        frames = list(frames_of_person(assets, person, SEED, number, PICTURES_A_PERSON, options))
        labels = [part_classes(person.figure, assets.body.bones, one.view) for one in frames]
        rows = (
            [one.image for one in frames], [one.mask for one in frames],
            [one.pose.as_array() for one in frames], labels,
        )  # fmt: skip
        packed = io.BytesIO()
        np.savez_compressed(packed, **{name: np.stack(one) for name, one in zip(NAMES, rows)})
        write_bytes(path, packed.getvalue())
    return found


def read_people(paths: list[Path]) -> list[Tensor]:
    """Pictures, masks, joints and labels of all of them."""
    read = [read_npz(path) for path in paths]
    return [torch.from_numpy(np.concatenate([one[name] for one in read])) for name in NAMES]


def augmented(images: Tensor, masks: Tensor, joints: Tensor, labels: Tensor, draw) -> tuple:
    """Mirrored, moved, turned, sized, in other colours; joints off by a px, and some missing."""
    count = len(images)
    if torch.rand(1, generator=draw) < 0.5:
        images, masks, labels = images.flip(2), masks.flip(2), labels.flip(2)
        joints = joints[:, OPENPOSE_18.mirror].clone()
        joints[..., 0] = SIDE_PX - 1 - joints[..., 0]
    gain = torch.exp(0.25 * torch.randn(count, 1, 1, 3, generator=draw))
    shift = 20 * torch.randn(count, 1, 1, 3, generator=draw)
    order = torch.arange(3)
    if torch.rand(1, generator=draw) < 0.3:
        order = torch.randperm(3, generator=draw)
    share = masks[..., None].float() / 255
    own = images.float()[..., order] * gain + shift
    images = (own * share + GREY * (1 - share)).clamp(0, 255)

    turn = (torch.rand(count, generator=draw) - 0.5) * 0.5
    size = torch.exp((torch.rand(count, generator=draw) - 0.5) * 0.6)
    move = (torch.rand(count, 2, generator=draw) - 0.5) * 0.3
    cosine, sine = torch.cos(turn) / size, torch.sin(turn) / size
    rows = (torch.stack([cosine, sine, move[:, 0]], 1), torch.stack([-sine, cosine, move[:, 1]], 1))
    to_source = torch.stack(rows, 1)  # in [-1, 1]
    grid = F.affine_grid(to_source, [count, 1, SIDE_PX, SIDE_PX], align_corners=False)
    layers = torch.cat((images.permute(0, 3, 1, 2) - GREY, masks[:, None].float()), 1)
    layers = F.grid_sample(layers, grid, align_corners=False)
    images, masks = (layers[:, :3] + GREY).permute(0, 2, 3, 1), layers[:, 3]
    labels = F.grid_sample(labels[:, None].float(), grid, mode="nearest", align_corners=False)
    places = (joints[..., :2] + 0.5) * 2 / SIDE_PX - 1
    to_target = torch.linalg.inv(to_source[:, :, :2])
    places = torch.einsum("bij,bkj->bki", to_target, places - to_source[:, None, :, 2])
    places = (places + 1) * SIDE_PX / 2 - 0.5 + torch.randn(count, 18, 2, generator=draw)
    missing = torch.rand(count, 18, 1, generator=draw) < 0.06
    missing |= torch.rand(count, 1, 1, generator=draw) < 0.05
    joints = torch.cat((places, joints[..., 2:].masked_fill(missing, 0)), -1)
    return images, masks, joints, labels[:, 0].long()


def agreement(parser: PartParser, people: list[Tensor]) -> dict[str, float]:
    """Intersection over union of each class."""
    both, either = np.zeros(len(CLASSES)), np.zeros(len(CLASSES))
    parser.eval()
    with torch.inference_mode():
        for first in range(0, len(people[0]), 32):
            images, masks, joints, labels = (rows[first : first + 32] for rows in people)
            said = parser(network_inputs(images, masks), joint_heat(joints)).argmax(1)
            asked = ~((masks < UNSURE) & (labels > 0))
            for number in range(len(CLASSES)):
                a, b = (said == number) & asked, (labels == number) & asked
                both[number] += float((a & b).sum())
                either[number] += float((a | b).sum())
    parser.train()
    return dict(zip(CLASSES, both / np.maximum(either, 1)))


def train(state: Path, paths: list[Path], steps: int) -> PartParser:
    """Resumable; the same state and steps end with the same weights."""
    held_out = read_people(paths[::HELD_OUT])
    people = read_people([path for n, path in enumerate(paths) if n % HELD_OUT])
    torch.manual_seed(SEED)
    parser = PartParser().to(memory_format=torch.channels_last)
    adam = torch.optim.AdamW(parser.parameters(), LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    modules, optimisers = {"parser": parser}, {"parser": adam}
    there, step = checkpoints(state), 0
    if there:
        load_checkpoint(there[-1], modules, optimisers)
        step = read_position(there[-1]).step
    counts = torch.bincount(people[3].flatten().long(), minlength=len(CLASSES)).float()
    weight = (counts.sum() / counts.clamp(min=1)).sqrt()
    weight = weight / weight.mean()
    with counted(range(step, steps), total=steps, initial=step, desc="steps") as progress:
        for step in progress:
            draw = torch.Generator().manual_seed(SEED * 1_000_003 + step)
            rows = torch.randint(len(people[0]), (BATCH,), generator=draw)
            images, masks, joints, labels = augmented(*(one[rows] for one in people), draw)
            labels = labels.masked_fill((masks < UNSURE) & (labels > 0), -100)
            for group in adam.param_groups:
                warm = min(1, (step + 1) / WARM_UP)
                group["lr"] = LEARNING_RATE * warm * (1 - step / steps) + 1e-5
            logits = parser(network_inputs(images, masks), joint_heat(joints))
            loss = F.cross_entropy(logits, labels, weight=weight, ignore_index=-100)
            adam.zero_grad()
            loss.backward()
            adam.step()
            if (step + 1) % SAVE_EVERY == 0 or step + 1 == steps:
                save_checkpoint(state, Position(1, step + 1), modules, optimisers, keep=2)
                scores = agreement(parser, held_out)
                said = " ".join(f"{name} {value:.2f}" for name, value in scores.items())
                print(f"step {step + 1}: loss {loss.item():.3f}, IoU {said}", flush=True)
    return parser


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--assets", type=Path, required=True)
    parser.add_argument("--people", type=int, default=1000)
    parser.add_argument("--steps", type=int, default=5000)
    parser.add_argument("--out", type=Path, help="default: part-parser.safetensors in the state")
    given = parser.parse_args()
    try:
        paths = render_people(given.state, given.assets, given.people)
        trained = train(given.state, paths, given.steps)
        tensors = {
            name: one.half() if one.is_floating_point() else one
            for name, one in trained.state_dict().items()
        }
        out = given.out or given.state / "part-parser.safetensors"
        write_tensors(out, tensors, {})
        print(f"{out}: {out.stat().st_size // 1024} KB")
    except DancepipeError as error:
        print(error, file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
