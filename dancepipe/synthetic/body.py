"""Bodies: what a person is built like, and the base mesh morphed to it."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from dancepipe.synthetic.assets import DancerAssets, ProxyMesh

ETHNICITIES = ("caucasian", "asian", "african")

_FINGER_BEND = "x-curl"

# Face and torso morphs are drawn as opposite pairs; these move or deform more than a natural body
# allows.
_UNNATURAL = (
    "-trans-",
    "pregnant",
    "navel",
    "pointed",
    "jaw-drop",
    "head-scale",
    "ear-shape-triangle",
    "chin-cleft",
    "septumangle",
    "prognathism",
)
_OPPOSITES = (
    ("-decr", "-incr"),
    ("-down", "-up"),
    ("-in", "-out"),
    ("-concave", "-convex"),
    ("-backward", "-forward"),
    ("-compress", "-uncompress"),
)


@dataclass(frozen=True)
class BodyTraits:
    """What a body is morphed from; numbers in [0, 1] unless said otherwise."""

    is_female: bool
    age: float  # 0 young adult, 1 old
    ethnicity: tuple[float, float, float]  # shares of ETHNICITIES, sum 1
    muscle: float
    weight: float
    height: float  # -1 short .. 1 tall
    ideal_proportions: float
    relaxed_hands: float
    smile: float
    brow_lift: float  # of the inner ends: > 0 takes the frown out of a face
    details: tuple[tuple[str, float], ...]  # face and torso morphs with their weights


def draw_body_traits(rng: np.random.Generator, assets: DancerAssets) -> BodyTraits:
    """Draw a natural looking adult."""
    caucasian, asian, african = rng.dirichlet([0.35] * 3)
    return BodyTraits(
        is_female=bool(rng.random() < 0.5),
        age=float(rng.beta(1.2, 3.0)),
        ethnicity=(float(caucasian), float(asian), float(african)),
        muscle=float(np.clip(rng.normal(0.55, 0.15), 0.15, 0.9)),
        weight=float(np.clip(rng.normal(0.45, 0.18), 0.08, 0.92)),
        height=float(np.clip(rng.normal(0, 0.2), -0.4, 0.4)),
        ideal_proportions=float(rng.uniform(0.1, 0.8)),
        relaxed_hands=float(rng.uniform(0.35, 1.2)),
        smile=float(np.clip(rng.normal(0.8, 0.5), -0.1, 1.7)),
        brow_lift=float(np.clip(rng.normal(0.7, 0.5), -0.3, 1.6)),
        details=_draw_details(rng, assets.morph_names),
    )


def _draw_details(
    rng: np.random.Generator, names: tuple[str, ...]
) -> tuple[tuple[str, float], ...]:
    chosen = []
    known = set(names)
    for name in sorted(known):
        if not name.startswith("d-") or any(word in name for word in _UNNATURAL) or "-r-" in name:
            continue
        partner = _opposite(name)
        if partner is not None and partner < name and partner in known:
            continue  # the pair was drawn when its first name came
        amount = rng.normal(0, 0.24) if rng.random() < 0.55 else 0.0
        spread = rng.normal(0, 0.04)
        if not amount:
            continue
        picked = name if amount > 0 or partner not in known else partner
        limit = (
            0.3
            if picked.startswith(("d-torso", "d-hip", "d-stomach", "d-head", "d-chin"))
            else 0.55
        )
        amount = min(abs(amount), limit)
        chosen.append((picked, float(amount)))
        mirrored = picked.replace("-l-", "-r-")
        if mirrored != picked and mirrored in known:
            chosen.append(
                (mirrored, float(max(0.0, amount + spread)))
            )  # faces are nearly, not quite, symmetric
    return tuple(chosen)


def _opposite(name: str) -> str | None:
    for first, second in _OPPOSITES:
        if name.endswith(first):
            return name[: -len(first)] + second
        if name.endswith(second):
            return name[: -len(second)] + first
    return None


def shape_body(assets: DancerAssets, traits: BodyTraits) -> np.ndarray:
    """The base mesh with the traits' morphs applied: float32 (V, 3), decimetres, rest pose."""
    points = assets.body.points_dm.copy()
    sex = "female" if traits.is_female else "male"

    def add(name: str, amount: float) -> None:
        if amount > 1e-4:
            vertices, delta = assets.morph(name)
            points[vertices] += np.float32(amount) * delta

    for age, age_share in (("young", 1 - traits.age), ("old", traits.age)):
        for ethnicity, share in zip(ETHNICITIES, traits.ethnicity):
            add(f"{ethnicity}-{sex}-{age}", age_share * share)
        for muscle, muscle_share in _low_middle_high(traits.muscle):
            for weight, weight_share in _low_middle_high(traits.weight):
                add(f"u-{sex}-{age}-{muscle}-{weight}", age_share * muscle_share * weight_share)
    add(f"h-{sex}-{'max' if traits.height > 0 else 'min'}", abs(traits.height))
    add(f"p-{sex}-ideal", traits.ideal_proportions)
    add(_FINGER_BEND, traits.relaxed_hands)
    for name, amount in traits.details:
        add(name, amount)
    _set_expression(assets, points, traits.smile, traits.brow_lift)
    return points


def finger_bend(assets: DancerAssets) -> tuple[np.ndarray, np.ndarray]:
    """Body vertices (K,) and moves float32 (K, 3), dm: the fingers of both hands bent by 1;
    stretched is 0, a loose fist about 1.4."""
    return assets.morph(_FINGER_BEND)


def _low_middle_high(value: float) -> tuple[tuple[str, float], ...]:
    return (
        ("min", max(0.0, 1 - 2 * value)),
        ("average", 1 - abs(2 * value - 1)),
        ("max", max(0.0, 2 * value - 1)),
    )


def _set_expression(
    assets: DancerAssets, points: np.ndarray, smile: float, brow_lift: float
) -> None:
    """Move the corners of the mouth out, up and back, lift the cheeks and the inner brows (the
    pack has no expressions)."""
    base = assets.body.points_dm
    corner = mouth_corner(assets)
    head = assets.body.bone_share("head") > 0.5
    for side in (1.0, -1.0):
        away = base - corner * np.array([side, 1, 1], np.float32)
        near_corner = np.exp(-(away**2).sum(1) / (2 * 0.11**2)) * head
        cheek = away - np.array([side * 0.16, 0.3, 0.0], np.float32)
        near_cheek = np.exp(-(cheek**2).sum(1) / (2 * 0.17**2)) * head
        points += (
            np.float32(smile)
            * near_corner[:, None]
            * np.array([side * 0.055, 0.05, -0.03], np.float32)
        )
        points += (
            np.float32(smile)
            * near_cheek[:, None]
            * np.array([side * 0.01, 0.025, 0.012], np.float32)
        )
        inner_brow = base - np.array([side * 0.13, 7.5, 1.42], np.float32)
        near_brow = (
            np.exp(-(inner_brow**2 / (2 * np.array([0.1, 0.09, 0.2], np.float32) ** 2)).sum(1))
            * head
        )
        points += np.float32(brow_lift) * near_brow[:, None] * np.array([0, 0.06, 0], np.float32)


def mouth_corner(assets: DancerAssets) -> np.ndarray:
    """float32 (3,): the left corner of the mouth on the base mesh (a fixed place of MakeHuman's
    hm08 topology)."""
    base = assets.body.points_dm
    return base[np.argmin(((base - np.array([0.252, 6.613, 1.42], np.float32)) ** 2).sum(1))]


def fit_proxy(assets: DancerAssets, proxy: ProxyMesh, points_dm: np.ndarray) -> np.ndarray:
    """Fit a garment, hair or eye mesh to a body: float32 (V, 3), decimetres."""
    offsets = proxy.offsets.copy()
    for axis, (first, second, base_length) in enumerate(proxy.offset_scales):
        if int(first) != int(second):
            offsets[:, axis] *= (
                abs(points_dm[int(first), axis] - points_dm[int(second), axis]) / base_length
            )
    return (points_dm[proxy.body_vertices] * proxy.body_weights[..., None]).sum(1) + offsets


@lru_cache(maxsize=64)
def proxy_skin(assets: DancerAssets, proxy: ProxyMesh) -> tuple[np.ndarray, np.ndarray]:
    """Bones uint8 (V, 4) and weights float32 (V, 4) that a proxy inherits from the body vertices
    it is tied to."""
    body = assets.body
    weights = np.zeros((len(proxy.offsets), len(body.bones)), np.float32)
    rows = np.arange(len(weights))
    for corner in range(3):
        vertex = proxy.body_vertices[:, corner]
        for slot in range(4):
            np.add.at(
                weights,
                (rows, body.skin_bone[vertex, slot]),
                proxy.body_weights[:, corner] * body.skin_weight[vertex, slot],
            )
    weights = np.maximum(weights, 0)
    bones = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    kept = np.take_along_axis(weights, bones, 1)
    return bones.astype(np.uint8), (kept / kept.sum(1, keepdims=True)).astype(np.float32)
