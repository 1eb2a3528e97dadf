"""Readers of the public files that the asset pack is made from: OBJ, MakeHuman's skeleton,
weights, targets and proxies, BVH."""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

MOTION_JOINTS = (
    "hip",
    "abdomen",
    "chest",
    "neck",
    "head",
    "lCollar",
    "lShldr",
    "lForeArm",
    "lHand",
    "lThigh",
    "lShin",
    "lFoot",
    "rCollar",
    "rShldr",
    "rForeArm",
    "rHand",
    "rThigh",
    "rShin",
    "rFoot",
)
_LIMBS = (
    ("lShldr", "lForeArm"),
    ("lForeArm", "lHand"),
    ("rShldr", "rForeArm"),
    ("rForeArm", "rHand"),
    ("lThigh", "lShin"),
    ("lShin", "lFoot"),
    ("rThigh", "rShin"),
    ("rShin", "rFoot"),
)
CURL_DEGREES = 16  # of each of a finger's three joints in the relaxed hand


class SourceError(Exception):
    """A source file that is absent or not what it should be."""


def read_text(path: Path) -> str:
    """The text of a source file; SourceError when it is absent or a Git LFS pointer."""
    try:
        text = path.read_text("utf-8", errors="replace")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if text.startswith("version https://git-lfs"):
        raise SourceError(
            f"{path} is only a Git LFS pointer: run 'git lfs pull' in that repository"
        )
    return text


@dataclass(frozen=True)
class ObjMesh:
    """A Wavefront mesh, polygons split into triangles."""

    points: np.ndarray  # (V, 3)
    texture_points: np.ndarray  # (W, 2)
    triangles: np.ndarray  # int (T, 3)
    triangle_texture: np.ndarray  # int (T, 3)
    triangle_group: np.ndarray  # int (T,)
    groups: tuple[str, ...]

    def group_vertices(self, name: str) -> np.ndarray:
        """Sorted vertices of a group."""
        return np.unique(self.triangles[self.triangle_group == self.groups.index(name)])


def read_obj(path: Path) -> ObjMesh:
    """Read v, vt, g and f lines."""
    points, texture, triangles, triangle_texture, group_of, groups = [], [], [], [], [], ["body"]
    group = 0
    for line in read_text(path).splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] == "v":
            points.append([float(word) for word in words[1:4]])
        elif words[0] == "vt":
            texture.append([float(word) for word in words[1:3]])
        elif words[0] == "g" and len(words) > 1:
            if words[1] not in groups:
                groups.append(words[1])
            group = groups.index(words[1])
        elif words[0] == "f":
            corners = [word.split("/") for word in words[1:]]
            vertex = [int(corner[0]) - 1 for corner in corners]
            coordinate = [
                int(corner[1]) - 1 if len(corner) > 1 and corner[1] else 0 for corner in corners
            ]
            for last in range(2, len(corners)):
                triangles.append((vertex[0], vertex[last - 1], vertex[last]))
                triangle_texture.append((coordinate[0], coordinate[last - 1], coordinate[last]))
                group_of.append(group)
    if not points or not triangles:
        raise SourceError(f"{path} holds no mesh")
    texture = np.array(texture or [[0.0, 0.0]])
    return ObjMesh(
        np.array(points),
        texture,
        np.array(triangles),
        np.array(triangle_texture),
        np.array(group_of),
        tuple(groups),
    )


@dataclass(frozen=True)
class Skeleton:
    """MakeHuman's default skeleton: bones with parents, and joints as lists of vertices."""

    bones: dict[str, dict]
    joints: dict[str, list[int]]

    def head_vertices(self, bone: str) -> list[int]:
        """The vertices whose mean is where a bone begins."""
        if bone not in self.bones:
            raise SourceError(f"the skeleton has no bone {bone}")
        return self.joints[self.bones[bone]["head"]]

    def head(self, bone: str, points: np.ndarray) -> np.ndarray:
        """Where a bone begins."""
        return points[self.head_vertices(bone)].mean(0)

    def ancestor_within(self, bone: str, kept: tuple[str, ...]) -> int:
        """Index in `kept` of the nearest proper ancestor that is kept, -1 for none."""
        parent = self.bones[bone]["parent"]
        while parent and parent not in kept:
            parent = self.bones[parent]["parent"]
        return kept.index(parent) if parent else -1


def read_skeleton(skeleton_path: Path, weights_path: Path) -> tuple[Skeleton, dict[str, list]]:
    """(skeleton, weights): weights maps a bone to its [vertex, weight] pairs."""
    try:
        stored = json.loads(read_text(skeleton_path))
        return Skeleton(stored["bones"], stored["joints"]), json.loads(read_text(weights_path))[
            "weights"
        ]
    except (ValueError, KeyError) as error:
        raise SourceError(
            f"{skeleton_path} or {weights_path} is not a MakeHuman rig: {error}"
        ) from error


def collapse_weights(
    weights: dict[str, list], skeleton: Skeleton, kept: tuple[str, ...], vertices: int
) -> tuple[np.ndarray, np.ndarray]:
    """(bones (V, 4), weights (V, 4)): each bone's weights go to the nearest kept bone above it,
    the four largest stay."""
    dense = np.zeros((vertices, len(kept)))
    for bone, pairs in weights.items():
        place = kept.index(bone) if bone in kept else skeleton.ancestor_within(bone, kept)
        for vertex, weight in pairs:
            dense[int(vertex), max(place, 0)] += weight
    dense[dense.sum(1) == 0, 0] = 1
    bones = np.argsort(-dense, axis=1, kind="stable")[:, :4]
    largest = np.take_along_axis(dense, bones, 1)
    return bones, largest / largest.sum(1, keepdims=True)


def read_target(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """(vertices, moves): one line "vertex dx dy dz" each; vertices that do not move are left
    out."""
    rows = [
        line.split() for line in read_text(path).splitlines() if line and not line.startswith("#")
    ]
    rows = [row for row in rows if len(row) == 4]
    if not rows:
        raise SourceError(f"{path} moves no vertex")
    table = np.array(rows, float)
    moving = np.abs(table[:, 1:]).max(1) >= 5e-4
    return table[moving, 0].astype(int), table[moving, 1:]


def read_proxy(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a proxy file from an .mhclo and the .obj it names."""
    scales: dict[str, list[float]] = {}
    vertices, weights, offsets, hidden = [], [], [], []
    mesh_name, section = path.stem + ".obj", ""
    for line in read_text(path).splitlines():
        words = line.split("#")[0].split()
        if not words:
            continue
        if words[0] == "obj_file":
            mesh_name = words[1]
        elif words[0].endswith("_scale"):
            scales[words[0][0]] = [float(word) for word in words[1:4]]
        elif words[0] in ("verts", "delete_verts"):
            section = words[0]
        elif section == "verts" and _is_number(words[0]):
            if len(words) == 1:
                vertices.append([int(words[0])] * 3)
                weights.append([1.0, 0.0, 0.0])
                offsets.append([0.0, 0.0, 0.0])
            else:
                vertices.append([int(word) for word in words[:3]])
                weights.append([float(word) for word in words[3:6]])
                offsets.append(
                    [float(word) for word in words[6:9]] if len(words) >= 9 else [0.0, 0.0, 0.0]
                )
        elif section == "delete_verts":
            hidden += _ranges(words)
        else:
            section = ""
    mesh = read_obj(path.parent / mesh_name)
    if len(mesh.points) != len(vertices):
        raise SourceError(
            f"{path} places {len(vertices)} vertices, but {mesh_name} has {len(mesh.points)}"
        )
    return {
        "ref": np.array(vertices, np.uint16),
        "w": np.array(weights, np.float32),
        "off": np.array(offsets, np.float32),
        "sc": np.array([scales.get(axis, [0, 0, 1]) for axis in "xyz"], np.float32),
        "dele": np.array(sorted(set(hidden)), np.uint16),
        "vt": mesh.texture_points.astype(np.float32),
        "f": mesh.triangles.astype(np.uint16),
        "ft": mesh.triangle_texture.astype(np.uint16),
    }


def _is_number(word: str) -> bool:
    return word.lstrip("-").isdigit()


def _ranges(words: list[str]) -> list[int]:
    """ "3 5 - 7" -> 3, 5, 6, 7."""
    numbers: list[int] = []
    for index, word in enumerate(words):
        if word == "-":
            numbers += range(numbers[-1] + 1, int(words[index + 1]))
        else:
            numbers.append(int(word))
    return numbers


def curl_fingers(
    points: np.ndarray, weights: dict[str, list], skeleton: Skeleton
) -> tuple[np.ndarray, np.ndarray]:
    """(vertices, moves) of a relaxed hand: each joint of the four long fingers bent towards the
    palm."""
    bent = points.copy()
    for side in (".L", ".R"):
        across = skeleton.head("finger5-1" + side, points) - skeleton.head(
            "finger2-1" + side, points
        )
        axis = across / np.linalg.norm(across)
        along = skeleton.head("finger3-1" + side, points) - skeleton.head("wrist" + side, points)
        # Towards the palm is the turn that brings the fingers nearer to the body's middle.
        inward = np.sign(np.cross(axis, along)[0]) == -np.sign(along[0] or 1)
        angle = np.radians(CURL_DEGREES) * (1 if inward else -1)
        for finger in range(2, 6):
            for joint in (
                3,
                2,
                1,
            ):  # from the tip: the joints nearer to the hand are still where they were
                center = skeleton.head(f"finger{finger}-{joint}{side}", points)
                share = np.zeros(len(points))
                for part in range(joint, 4):
                    for vertex, weight in weights.get(f"finger{finger}-{part}{side}", []):
                        share[int(vertex)] += weight
                away = bent - center
                turned = (
                    away * np.cos(angle)
                    + np.cross(axis, away) * np.sin(angle)
                    + np.outer(away @ axis, axis) * (1 - np.cos(angle))
                )
                bent += share[:, None] * (turned - away)
    moved = np.flatnonzero(np.abs(bent - points).max(1) >= 5e-4)
    return moved, (bent - points)[moved]


@dataclass(frozen=True)
class Take:
    """One motion-capture take at the kept rate."""

    quaternions: np.ndarray  # (F, J, 4) global rotations x, y, z, w of MOTION_JOINTS
    root: np.ndarray  # (F, 3)
    rest_directions: dict[str, np.ndarray]
    leg_length: float  # vertical way from the hip joint to the ankle


def read_bvh(path: Path, rate_hz: int) -> Take:
    """Read a BVH file, thinned to rate_hz."""
    from scipy.spatial.transform import Rotation

    head, _, motion = read_text(path).partition("MOTION")
    parent, offset, channels, chain, order, current = {}, {}, {}, [], [], None
    for line in head.splitlines():
        words = line.split()
        if not words:
            continue
        if words[0] in ("ROOT", "JOINT", "End"):
            current = words[1] if words[0] != "End" else f"{chain[-1]}-end"
            parent[current] = chain[-1] if chain else None
            order.append(current)
        elif words[0] == "{":
            chain.append(current)
        elif words[0] == "}":
            chain.pop()
        elif words[0] == "OFFSET":
            offset[current] = np.array(words[1:4], float)
        elif words[0] == "CHANNELS":
            channels[current] = words[2:]
    missing = [name for name in MOTION_JOINTS if name not in parent]
    lines = motion.strip().splitlines()
    if missing or len(lines) < 3:
        raise SourceError(
            f"{path} is not a take of the CMU skeleton: "
            f"{'it lacks ' + ', '.join(missing) if missing else 'it has no frames'}"
        )
    frame_seconds = float(lines[1].split()[-1])
    values = np.array([line.split() for line in lines[2:] if line.strip()], float)[
        :: max(round(1 / frame_seconds / rate_hz), 1)
    ]
    column, rotation, root = 0, {}, None
    for joint in order:
        names = channels.get(joint, [])
        turns = Rotation.identity(len(values))
        for name in names:
            if name.endswith("rotation"):
                turns = turns * Rotation.from_rotvec(
                    np.outer(values[:, column], np.eye(3)["XYZ".index(name[0])]), degrees=True
                )
            elif parent[joint] is None and name == "Xposition":
                root = values[:, column : column + 3]
            column += 1
        rotation[joint] = turns if parent[joint] is None else rotation[parent[joint]] * turns
    directions = {limb: offset[end] / np.linalg.norm(offset[end]) for limb, end in _LIMBS}
    leg = float(sum(abs(offset[name][1]) for name in ("lThigh", "lShin", "lFoot")))
    return Take(
        np.stack([rotation[name].as_quat() for name in MOTION_JOINTS], 1), root, directions, leg
    )
