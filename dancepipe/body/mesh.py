"""The body's mesh: MakeHuman's hm08 average adult (CC0), decimated, with bones and parts.

Made by tools/build_body.py; body.md beside the file names the source. Decimetres; x to the body's
left, y up, z to the front. Triangles are counter-clockwise seen from outside.
"""

from dataclasses import dataclass
from enum import Enum
from functools import lru_cache
from importlib.resources import as_file, files

import numpy as np

from dancepipe.files.npz_file import read_npz


class Part(Enum):
    """What a surface belongs to. Colour never flows from one part to another."""

    HEAD = "head"
    TORSO = "torso"
    NECK = "neck"
    UPPER_ARM_RIGHT = "upper_arm_right"
    UPPER_ARM_LEFT = "upper_arm_left"
    FOREARM_RIGHT = "forearm_right"
    FOREARM_LEFT = "forearm_left"
    HAND_RIGHT = "hand_right"
    HAND_LEFT = "hand_left"
    THIGH_RIGHT = "thigh_right"
    THIGH_LEFT = "thigh_left"
    SHIN_RIGHT = "shin_right"
    SHIN_LEFT = "shin_left"
    FOOT_RIGHT = "foot_right"
    FOOT_LEFT = "foot_left"
    SKIRT = "skirt"
    HAIR = "hair"


PARTS = tuple(Part)  # a part's number is its place here
ARMS = tuple(
    PARTS.index(part)
    for part in (
        Part.UPPER_ARM_RIGHT, Part.UPPER_ARM_LEFT, Part.FOREARM_RIGHT, Part.FOREARM_LEFT,
        Part.HAND_RIGHT, Part.HAND_LEFT,
    )
)  # fmt: skip
LAYERS = ("body", "skirt", "hair")


def _mirrored(part: Part) -> Part:
    first, _, side = part.value.rpartition("_")
    other = {"right": "left", "left": "right"}.get(side)
    return Part(f"{first}_{other}") if other else part


PART_MIRROR = np.array([PARTS.index(_mirrored(part)) for part in PARTS])  # number -> number


@dataclass(frozen=True)
class BodyMesh:
    """The average body at rest, arms a little out. V vertices, T triangles, B bones.

    Vertices and triangles lie layer after layer: body, skirt, hair.
    """

    points_dm: np.ndarray  # float32 (V, 3)
    triangles: np.ndarray  # int64 (T, 3)
    layer_points: np.ndarray  # int (3,): how many vertices each layer has
    layer_triangles: np.ndarray  # int (3,)
    mirror: np.ndarray  # int64 (V,): the vertex on the other side
    skin_bone: np.ndarray  # uint8 (V, 4)
    skin_weight: np.ndarray  # float32 (V, 4), sums 1
    part: np.ndarray  # int64 (V,): number in PARTS
    triangle_part: np.ndarray  # int64 (T,)
    bones: tuple[str, ...]
    parent: np.ndarray  # int (B,), -1 of the root
    heads_dm: np.ndarray  # float64 (B, 3): where each bone begins
    landmarks_dm: np.ndarray  # float64 (33, 3): where the pose network sees its landmarks
    hands_dm: np.ndarray  # float64 (2, 21, 3): the hand network's points, right and left
    morphs_dm: dict[str, np.ndarray]  # name -> float32 (V, 3): sex, weight, height, age

    def bone(self, name: str) -> int:
        """The number of a bone."""
        return self.bones.index(name)

    def layer_of_points(self, layer: str) -> slice:
        """Where the vertices of a layer lie."""
        ends = np.cumsum([0, *self.layer_points])
        number = LAYERS.index(layer)
        return slice(int(ends[number]), int(ends[number + 1]))

    def layer_of_triangles(self, layer: str) -> slice:
        """Where the triangles of a layer lie."""
        ends = np.cumsum([0, *self.layer_triangles])
        number = LAYERS.index(layer)
        return slice(int(ends[number]), int(ends[number + 1]))


@lru_cache(maxsize=1)
def load_mesh() -> BodyMesh:
    """The mesh that comes with dancepipe; read once. Its arrays are shared: leave them alone."""
    with as_file(files("dancepipe.body") / "body.npz") as path:
        stored = read_npz(path)
    part = stored["part"].astype(np.int64)
    triangles = stored["triangles"].astype(np.int64)
    corners = part[triangles]
    is_first = (corners[:, 0] == corners[:, 1]) | (corners[:, 0] == corners[:, 2])
    weight = stored["skin_weight"].astype(np.float32) / 255
    moves = zip(stored["morphs"].tolist(), stored["morph_moves"])
    return BodyMesh(
        points_dm=np.ascontiguousarray(stored["points"], np.float32) / 1000,
        triangles=triangles,
        layer_points=stored["layer_points"],
        layer_triangles=stored["layer_triangles"],
        mirror=stored["mirror"].astype(np.int64),
        skin_bone=stored["skin_bone"],
        skin_weight=weight,
        part=part,
        triangle_part=np.where(is_first, corners[:, 0], corners[:, 1]),
        bones=tuple(stored["bones"].tolist()),
        parent=stored["parent"].astype(np.int64),
        heads_dm=stored["heads"].astype(np.float64) / 1000,
        landmarks_dm=stored["landmarks"].astype(np.float64) / 1000,
        hands_dm=stored["hands"].astype(np.float64) / 1000,
        morphs_dm={name: one.astype(np.float32) / 1000 for name, one in moves},
    )
