"""What each pixel of the photo shows: hair, face, clothes, arms, hands. A small U-Net of ours that
only ever saw rendered people (tools/train_part_parser.py); docs/weights.md is its card."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load
from torch import Tensor, nn

from dancepipe.errors import WeightsError, WeightsMissingError
from dancepipe.geometry import resized_px
from dancepipe.records import GREY
from dancepipe.skeletons import BLAZEPOSE_33, OPENPOSE_18

CLASSES = (
    "background", "hair", "face", "neck", "torso", "upper_arm", "forearm", "hand", "skirt", "legs",
    "feet",
)  # fmt: skip
SIDE_PX = 128
SHA256 = "4315f1be23cff9f09b07002d3215ac1ca45bad55250ab9c27df60ec29b93fb44"
_HEAT_PX = 32
_HEAT_SIGMA_PX = 1.2
_SURE = 0.25  # landmarks less sure are left out of the heat maps
_NECK = OPENPOSE_18.index("neck")
_SHOULDERS = [BLAZEPOSE_33.index(f"{side}_shoulder") for side in ("right", "left")]
# Where the 18 joints are among the 33 landmarks; the neck lies between the shoulders.
_LANDMARKS = [
    _SHOULDERS[0] if name == "neck" else BLAZEPOSE_33.index(name) for name in OPENPOSE_18.joints
]

# A hand reaches so far from the line between wrist and knuckles, in torso lengths: a white hem
# between two hands is none.
_HAND_REACH = 0.14


@dataclass(frozen=True)
class PartLabels:
    """Of a picture of (H, W) px."""

    label: np.ndarray  # uint8 (H, W): index into CLASSES
    sure: np.ndarray  # float32 (H, W): the probability of that class

    def is_one_of(self, *names: str) -> np.ndarray:
        """bool (H, W)."""
        return np.isin(self.label, [CLASSES.index(name) for name in names])


def _block(before: int, after: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(before, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True),
        nn.Conv2d(after, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.ReLU(True),
    )  # fmt: skip


class PartParser(nn.Module):
    """A U-Net of five levels; the joints come in as heat maps at a quarter of the size."""

    def __init__(self, channels: tuple[int, ...] = (12, 24, 48, 72, 96)):
        super().__init__()
        before = (4, channels[0], channels[1] + len(_LANDMARKS), channels[2], channels[3])
        self.down = nn.ModuleList(_block(*pair) for pair in zip(before, channels))
        self.up = nn.ModuleList(
            _block(channels[level + 1] + channels[level], channels[level])
            for level in range(len(channels) - 2, -1, -1)
        )
        self.out = nn.Conv2d(channels[0], len(CLASSES), 1)

    def forward(self, pictures: Tensor, heat: Tensor) -> Tensor:
        """pictures (B, 4, S, S): RGB in [-1, 1] and mask in [0, 1]; heat (B, 18, S/4, S/4) ->
        logits (B, C, S, S). S is a multiple of 16."""
        kept, x = [], pictures
        for level, block in enumerate(self.down):
            if level:
                x = F.max_pool2d(x, 2)
            if level == 2:
                x = torch.cat((x, heat), 1)
            x = block(x)
            kept.append(x)
        for block, beside in zip(self.up, kept[-2::-1]):
            x = F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)
            x = block(torch.cat((x, beside), 1))
        return self.out(x)


def network_inputs(images: Tensor, masks: Tensor) -> Tensor:
    """uint8 RGB (B, S, S, 3) on grey and masks (B, S, S) -> float32 (B, 4, S, S)."""
    colours = images.permute(0, 3, 1, 2).float() / 127.5 - 1
    return torch.cat((colours, masks[:, None].float() / 255), 1)


def joint_heat(joints: Tensor) -> Tensor:
    """Joints (B, 18, 3) in px of SIDE_PX -> heat maps (B, 18, 32, 32); those of confidence 0 have
    none."""
    y, x = torch.meshgrid(
        torch.arange(_HEAT_PX).float(), torch.arange(_HEAT_PX).float(), indexing="ij"
    )
    places = resized_px(joints[..., :2], _HEAT_PX / SIDE_PX)
    away = (x - places[..., 0, None, None]) ** 2 + (y - places[..., 1, None, None]) ** 2
    heat = torch.exp(-away / (2 * _HEAT_SIGMA_PX**2))
    return heat * (joints[..., 2] > 0)[..., None, None].float()


def parse_parts(image: np.ndarray, mask: np.ndarray, landmarks: np.ndarray) -> PartLabels:
    """image uint8 RGB (H, W, 3) on grey, mask uint8 (H, W), landmarks (33, 4) in its pixels."""
    height, width = mask.shape
    scale = SIDE_PX / max(height, width)
    inner_wh = max(1, round(width * scale)), max(1, round(height * scale))
    left, top = (SIDE_PX - inner_wh[0]) // 2, (SIDE_PX - inner_wh[1]) // 2
    there = np.s_[top : top + inner_wh[1], left : left + inner_wh[0]]
    small = np.full((SIDE_PX, SIDE_PX, 3), GREY, np.uint8)
    small_mask = np.zeros((SIDE_PX, SIDE_PX), np.uint8)
    small[there] = cv2.resize(image, inner_wh, interpolation=cv2.INTER_AREA)
    small_mask[there] = cv2.resize(mask, inner_wh, interpolation=cv2.INTER_AREA)
    joints = _joints(landmarks)
    joints[:, :2] = resized_px(joints[:, :2], scale) + [left, top]
    with torch.inference_mode(), torch.autocast("cpu", enabled=False):
        logits = shared_parser()(
            network_inputs(torch.from_numpy(small)[None], torch.from_numpy(small_mask)[None]),
            joint_heat(torch.from_numpy(joints)[None].float()),
        )[..., top : top + inner_wh[1], left : left + inner_wh[0]]
        logits = F.interpolate(logits, (height, width), mode="bilinear", align_corners=False)
        beyond = torch.from_numpy(_beyond_hands(landmarks, (height, width)))
        logits[0, CLASSES.index("hand")][beyond] = -torch.inf
        sure, label = logits.softmax(1)[0].max(0)
    return PartLabels(label.to(torch.uint8).numpy(), sure.numpy())


def _beyond_hands(landmarks: np.ndarray, size_hw: tuple[int, int]) -> np.ndarray:
    """bool (H, W): too far from where the landmarks have hands."""
    points = dict(zip(BLAZEPOSE_33.joints, landmarks))
    shoulders, hips = (
        (points[f"left_{name}"] + points[f"right_{name}"])[:3] / 2 for name in ("shoulder", "hip")
    )
    reach_px = _HAND_REACH * np.linalg.norm(shoulders - hips)
    y, x = np.mgrid[: size_hw[0], : size_hw[1]]
    away = [
        _from_line(np.stack((x, y), -1), points[f"{side}_wrist"][:2], points[f"{side}_{tip}"][:2])
        for side in ("left", "right")
        for tip in ("index_finger", "little_finger")
    ]
    return np.min(away, 0) > reach_px


def _from_line(points: np.ndarray, start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Distances of points (..., 2) from a line that ends."""
    line = end - start
    along = ((points - start) @ line / max(line @ line, 1e-6)).clip(0, 1)
    return np.linalg.norm(points - start - along[..., None] * line, axis=-1)


@lru_cache(maxsize=1)
def shared_parser() -> PartParser:
    """The network that comes with dancepipe; read once. WeightsMissingError when the package was
    built without it, WeightsError when it is another."""
    path = files("dancepipe") / "weights" / "part-parser.safetensors"
    try:
        data = path.read_bytes()
    except OSError as error:
        raise WeightsMissingError(
            f"{path} cannot be read ({error.strerror}): the body needs it; install dancepipe anew"
        ) from error
    if hashlib.sha256(data).hexdigest() != SHA256:
        raise WeightsError(f"{path} is not the file that was shipped; install dancepipe anew")
    parser = PartParser()
    parser.load_state_dict({name: one.float() for name, one in load(data).items()})
    return parser.eval()


def _joints(landmarks: np.ndarray) -> np.ndarray:
    """float64 (18, 3): x, y, confidence."""
    joints = landmarks[_LANDMARKS][:, [0, 1, 3]].astype(np.float64)
    shoulders = landmarks[_SHOULDERS][:, [0, 1, 3]]
    joints[_NECK] = [*shoulders[:, :2].mean(0), shoulders[:, 2].min()]
    joints[joints[:, 2] < _SURE, 2] = 0
    return joints
