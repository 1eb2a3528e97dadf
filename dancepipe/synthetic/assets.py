"""The asset pack: body, morphs, garments, hair and motion, checked against MANIFEST.json before
use.

The pack is not part of the package (its motion has terms of its own). tools/build_dancers_pack.py
makes one from the public MakeHuman and CMU files. Lengths are decimetres, y up, z to the front, the
person's left at positive x. Loaded meshes compare by identity, so that what is computed from them
alone can be cached.
"""

import hashlib
import os
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from dancepipe.errors import BadImageError, DancepipeError, MissingExtraError
from dancepipe.files.npz_file import read_npz
from dancepipe.files.plain_text import plain_words, read_json
from dancepipe.media.image import load_photo

ASSETS_VARIABLE = "DANCEPIPE_DANCERS"
MAKE_ONE = (
    "to make one, fetch github.com/makehumancommunity/makehuman and "
    "github.com/makehumancommunity/makehuman-assets (CC0) and "
    "github.com/papagina/Auto_Conditioned_RNN_motion (CMU's motion capture), then run "
    "tools/build_dancers_pack.py of dancepipe's repository"
)
REQUIRED_FILES = (
    "body.npz",
    "targets.npz",
    "motion/motion_cmu.npz",
    "tex/low-poly.webp",
    "proxy_eyes_low-poly.npz",
)


class AssetsError(DancepipeError):
    """The asset pack is absent, incomplete or damaged."""


@dataclass(frozen=True, eq=False)
class BodyMesh:
    """The base mesh. Groups other than "body" are shells (tights, skirt) and small parts
    (lashes, teeth)."""

    points_dm: np.ndarray  # float32 (V, 3)
    triangles: np.ndarray  # int32 (T, 3)
    triangle_group: np.ndarray  # uint8 (T,), index into groups
    groups: tuple[str, ...]
    bones: tuple[str, ...]
    bone_parent: np.ndarray  # int (B,), -1 for the root
    bone_head_vertices: tuple[np.ndarray, ...]  # per bone: the vertices whose mean is its head
    skin_bone: np.ndarray  # uint8 (V, 4)
    skin_weight: np.ndarray  # float32 (V, 4), rows sum to 1
    left_eye_vertices: np.ndarray
    right_eye_vertices: np.ndarray

    def bone(self, name: str) -> int:
        """Index of a bone by name."""
        return self.bones.index(name)

    @lru_cache(maxsize=32)  # noqa: B019 - a pack lives as long as the process
    def group_triangles(self, *names: str) -> np.ndarray:
        """int32 (T', 3): the triangles of these groups."""
        wanted = [self.groups.index(name) for name in names]
        return self.triangles[np.isin(self.triangle_group, wanted)]

    def bone_heads(self, points_dm: np.ndarray) -> np.ndarray:
        """float64 (B, 3): where the bones begin in a body of this topology."""
        return np.stack(
            [points_dm[vertices].mean(0) for vertices in self.bone_head_vertices]
        ).astype(np.float64)

    @lru_cache(maxsize=64)  # noqa: B019
    def bone_share(self, *names: str) -> np.ndarray:
        """float32 (V,): how much of each vertex's skin weight belongs to these bones."""
        wanted = [self.bone(name) for name in names]
        return (self.skin_weight * np.isin(self.skin_bone, wanted)).sum(1).astype(np.float32)


@dataclass(frozen=True, eq=False)
class ProxyMesh:
    """A mesh tied to the base mesh: each vertex is a weighted sum of three body vertices plus a
    scaled offset."""

    name: str
    body_vertices: np.ndarray  # int32 (V, 3)
    body_weights: np.ndarray  # float32 (V, 3)
    offsets: np.ndarray  # float32 (V, 3)
    # float32 (3, 3): per axis the two body vertices whose distance scales it, and their base
    # distance
    offset_scales: np.ndarray
    hidden_body_vertices: np.ndarray  # int32: body vertices that this mesh covers
    triangles: np.ndarray  # int32 (T, 3)
    texture_points: np.ndarray  # float32 (T, 3, 2): u, v with v up


@dataclass(frozen=True, eq=False)
class MotionClip:
    """Global joint rotations of one motion-capture take, 30 a second."""

    name: str
    rotations: np.ndarray  # int16 (F, J, 4): quaternions x, y, z, w times 32767
    root: np.ndarray  # float32 (F, 3), in the take's own length unit


@dataclass(frozen=True, eq=False)
class DancerAssets:
    """Everything in the pack, loaded."""

    folder: Path
    body: BodyMesh
    morph_names: tuple[str, ...]
    morph_offsets: np.ndarray
    morph_vertices: np.ndarray
    morph_deltas: np.ndarray  # int16 (N, 3), thousandths of a decimetre
    proxies: dict[str, dict[str, ProxyMesh]]  # kind -> name -> mesh
    clips: tuple[MotionClip, ...]
    motion_joints: tuple[str, ...]
    motion_rest_directions: dict[
        str, np.ndarray
    ]  # joint -> unit vector of its limb in the rest pose
    motion_leg_length: float  # in the takes' unit; scales root to a body
    eye_texture: np.ndarray  # uint8 (h, w, 3)

    def morph(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """(vertex indices, float32 deltas in dm) of one morph."""
        index = self.morph_names.index(name)
        part = slice(self.morph_offsets[index], self.morph_offsets[index + 1])
        return self.morph_vertices[part].astype(np.int64), self.morph_deltas[part].astype(
            np.float32
        ) / 1000

    @lru_cache(maxsize=32)  # noqa: B019
    def morph_strength(self, *names: str) -> np.ndarray:
        """float32 (V,) in [0, 1]: how strongly these morphs move each vertex; serves as a mask
        of what they shape."""
        strength = np.zeros(len(self.body.points_dm), np.float32)
        for name in names:
            vertices, delta = self.morph(name)
            length = np.linalg.norm(delta, axis=1)
            strength[vertices] = np.maximum(strength[vertices], length / max(length.max(), 1e-6))
        return strength


def find_assets(folder: str | Path | None) -> Path:
    """The pack's folder: the argument, else the environment variable DANCEPIPE_DANCERS.

    Raises AssetsError when neither names a folder.
    """
    chosen = folder or os.environ.get(ASSETS_VARIABLE)
    if not chosen:
        raise AssetsError(
            "rendered dancers need an asset pack and none is named: pass --assets DIR or set "
            f"{ASSETS_VARIABLE}; {MAKE_ONE}"
        )
    chosen = Path(chosen)
    if not os.path.isdir(chosen):
        raise AssetsError(f"no asset pack at {chosen}: it is not a folder; {MAKE_ONE}")
    return chosen


def load_assets(folder: str | Path | None = None) -> DancerAssets:
    """Load the pack from `folder` (or DANCEPIPE_DANCERS), every file checked by size and sha256.

    Raises AssetsError for a pack that is absent, incomplete or damaged, MissingExtraError before
    anything is drawn without scipy. Loaded once per process and folder.
    """
    try:
        import scipy  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("scipy", "dancers", "rendering people") from error
    return _load_checked(find_assets(folder).resolve())


@lru_cache(maxsize=2)
def _load_checked(folder: Path) -> DancerAssets:
    paths = check_pack(folder)
    try:
        return _load(folder, paths)
    except (KeyError, ValueError, TypeError, IndexError, OverflowError) as error:
        raise AssetsError(
            f"damaged asset pack {folder}: {plain_words(error)}; make it again"
        ) from error


def _load(folder: Path, paths: list[str]) -> DancerAssets:
    targets = _arrays(folder / "targets.npz")
    motion = _arrays(folder / "motion/motion_cmu.npz")
    proxies: dict[str, dict[str, ProxyMesh]] = {}
    for path in paths:
        if path.startswith("proxy_") and path.endswith(".npz"):
            _, kind, name = path.removesuffix(".npz").split("_", 2)
            proxies.setdefault(kind, {})[name] = _proxy(name, _arrays(folder / path))
    ends = motion["off"]
    clips = tuple(
        MotionClip(str(name), motion["quat"][first:last], motion["root"][first:last])
        for name, first, last in zip(motion["names"], ends[:-1], ends[1:])
    )
    rest = {
        str(name): _unit(vector)
        for name, vector in zip(motion["dirk"], motion["dirv"].astype(np.float64))
    }
    return DancerAssets(
        folder=folder,
        body=_body(_arrays(folder / "body.npz")),
        morph_names=tuple(str(name) for name in targets["names"]),
        morph_offsets=targets["off"],
        morph_vertices=targets["idx"],
        morph_deltas=targets["delta"],
        proxies=proxies,
        clips=clips,
        motion_joints=tuple(str(name) for name in motion["joints"]),
        motion_rest_directions=rest,
        motion_leg_length=float(motion["leg"]),
        eye_texture=_picture(folder / "tex/low-poly.webp"),
    )


def check_pack(folder: Path) -> list[str]:
    """The pack's paths, after size and sha256 of each agreed with MANIFEST.json; AssetsError
    otherwise."""
    manifest_path = folder / "MANIFEST.json"
    try:
        listed = read_json(manifest_path)
        if not isinstance(listed, list):
            raise ValueError("it is no list of files")
        entries = {entry["path"]: entry for entry in listed}
        if not all(
            _is_inside(path) and isinstance(entry["sha256"], str) for path, entry in entries.items()
        ):
            raise ValueError("it names files outside of the pack")
    except FileNotFoundError as error:
        raise AssetsError(
            f"no MANIFEST.json in {folder}: this is not an asset pack; {MAKE_ONE}"
        ) from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise AssetsError(
            f"damaged asset pack: {manifest_path} cannot be read ({error}); make it again"
        ) from error
    for path in REQUIRED_FILES:
        if path not in entries:
            raise AssetsError(
                f"incomplete asset pack {folder}: its MANIFEST.json does not name {path}; make "
                "it again"
            )
    for path, entry in entries.items():
        try:
            content = (folder / path).read_bytes()
        except OSError as error:
            raise AssetsError(
                f"incomplete asset pack {folder}: {path} cannot be read ({error.strerror}); make "
                "it again"
            ) from error
        if hashlib.sha256(content).hexdigest() != entry["sha256"]:
            raise AssetsError(
                f"damaged asset pack {folder}: {path} is not the file that MANIFEST.json "
                "describes (sha256); make it again"
            )
    return sorted(entries)


def _is_inside(path: object) -> bool:
    if not isinstance(path, str):
        return False
    parts = PurePosixPath(path).parts
    return bool(parts) and ".." not in parts and not path.startswith("/") and path.isprintable()


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        return read_npz(path)
    except (OSError, ValueError) as error:
        raise AssetsError(f"damaged asset pack: {path}: {error}; make it again") from error


def _unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def _picture(path: Path) -> np.ndarray:
    try:
        return load_photo(path)
    except BadImageError as error:
        raise AssetsError(f"damaged asset pack: {error}; make it again") from error


def _body(stored: dict[str, np.ndarray]) -> BodyMesh:
    weights = stored["bw"].astype(np.float32)
    ends = stored["joff"].astype(np.int64)
    heads = stored["jidx"].astype(np.int64)
    return BodyMesh(
        points_dm=stored["v"],
        triangles=stored["f"].astype(np.int32),
        triangle_group=stored["fg"],
        groups=tuple(str(name) for name in stored["groups"]),
        bones=tuple(str(name) for name in stored["bones"]),
        bone_parent=stored["parent"].astype(int),
        bone_head_vertices=tuple(heads[first:last] for first, last in zip(ends[:-1], ends[1:])),
        skin_bone=stored["bi"],
        skin_weight=weights / weights.sum(1, keepdims=True),
        left_eye_vertices=stored["eyeL"],
        right_eye_vertices=stored["eyeR"],
    )


def _proxy(name: str, stored: dict[str, np.ndarray]) -> ProxyMesh:
    return ProxyMesh(
        name=name,
        body_vertices=stored["ref"].astype(np.int32),
        body_weights=stored["w"],
        offsets=stored["off"],
        offset_scales=stored["sc"],
        hidden_body_vertices=stored["dele"].astype(np.int32),
        triangles=stored["f"].astype(np.int32),
        texture_points=stored["vt"][stored["ft"].astype(np.int64)],
    )
