"""Which pixels of the photo show the part that the mesh says, where parts overlap."""

import numpy as np

from dancepipe.body.image_filters import distance_transform_edt, gaussian_filter, maximum_filter
from dancepipe.body.mesh import ARMS, PARTS, Part
from dancepipe.body.part_parser import CLASSES, PartLabels
from dancepipe.body.posing import in_view
from dancepipe.body.raster import FAR

_RIM, _STEP = 0.035, 0.22  # torso lengths: beside a nearer surface by so much nothing is believed
_LIMB_RIM = 0.10
_OFF_COLOUR = 80  # sums over RGB
_SURE = 0.6  # of a label, to be believed against the mesh
_LIKELY = 0.4  # of a label, to be preferred to a surface that is seen edgewise
_MARGIN_PX = 2.3  # beside what the labels see otherwise: colours of both are mixed there
_FORESHORTENED = 0.75  # of a thigh's length is seen, or less
_UNLIKE_SKIN = 60  # sums over RGB: of a pocket that passes for a hand
_SHOULDER = 0.2  # torso lengths around it, where arm and chest wear the same

# Parts and classes that may stand for each other. Hair lies on all of them.
_HEAD, _NECK, _TRUNK, _ARM, _ANY = range(5)
_GROUP_OF_CLASS = np.array(
    [
        {"face": _HEAD, "neck": _NECK, "torso": _TRUNK, "skirt": _TRUNK, "legs": _TRUNK,
         "feet": _TRUNK, "upper_arm": _ARM, "forearm": _ARM, "hand": _ARM}.get(name, _ANY)
        for name in CLASSES
    ]
)  # fmt: skip
_IS_CONFLICT = np.zeros((5, 5), bool)
for _one, _other in (
    (_HEAD, _TRUNK), (_HEAD, _ARM), (_HEAD, _NECK), (_NECK, _ARM), (_TRUNK, _ARM),
):  # fmt: skip
    _IS_CONFLICT[_one, _other] = _IS_CONFLICT[_other, _one] = True


def _numbers(*parts: Part) -> list[int]:
    return [PARTS.index(part) for part in parts]


_RIGHT_LEG = _numbers(Part.THIGH_RIGHT, Part.SHIN_RIGHT, Part.FOOT_RIGHT)
_LEFT_LEG = _numbers(Part.THIGH_LEFT, Part.SHIN_LEFT, Part.FOOT_LEFT)


def _group(number: int) -> int:
    part = PARTS[number]
    if number in ARMS:
        return _ARM
    return {Part.HEAD: _HEAD, Part.NECK: _NECK, Part.HAIR: _ANY}.get(part, _TRUNK)


_GROUP_OF_PART = np.array([_group(number) for number in range(len(PARTS))])


def trusted(
    part: np.ndarray,
    depth: np.ndarray,
    sharp: np.ndarray,
    mask: np.ndarray,
    labels: PartLabels,
    landmarks: np.ndarray,
    torso_px: float,
) -> np.ndarray:
    """float32 (H, W) in [0, 1].

    part: int (H, W), the mesh's over the photo, -1 for none; depth: its z; sharp: the photo's
    colours (H, W, 3); mask uint8 (H, W); landmarks as Poser.pose has them.
    """
    is_mesh = part >= 0
    reach = max(1, int(round(_RIM * torso_px)))
    nearest = maximum_filter(np.where(is_mesh, depth, FAR), size=2 * reach + 1)
    trust = np.where((nearest - depth > _STEP * torso_px) & is_mesh, 0, 1).astype(np.float32)
    trust[_contradicted(part, labels, landmarks[[11, 12], :2], torso_px)] = 0
    trust[_over_bent_legs(part, labels, landmarks)] = 0
    trust[_pockets(part, sharp, labels)] = 0
    for limb, other in ((_RIGHT_LEG, _LEFT_LEG), (_LEFT_LEG, _RIGHT_LEG)):
        _beside_leg(trust, np.isin(part, limb), np.isin(part, other), sharp, mask, torso_px)
    return trust


def is_arm(labels: PartLabels) -> np.ndarray:
    """bool (H, W)."""
    return labels.is_one_of("upper_arm", "forearm", "hand")


def _contradicted(part, labels, shoulders_xy_px, torso_px) -> np.ndarray:
    """Where the labels see another part than the mesh has there."""
    ours = np.where(part >= 0, _GROUP_OF_PART[np.maximum(part, 0)], _ANY)
    seen = np.where(labels.sure > _SURE, _GROUP_OF_CLASS[labels.label], _ANY)
    height, width = part.shape
    y, x = np.mgrid[:height, :width]
    away = np.min([np.hypot(x - sx, y - sy) for sx, sy in shoulders_xy_px], 0)
    at_shoulder = away < _SHOULDER * torso_px
    contradicted = np.zeros(part.shape, bool)
    for group in (_HEAD, _NECK, _TRUNK, _ARM):
        other = _IS_CONFLICT[group, seen]
        if group in (_TRUNK, _ARM):
            other &= ~(at_shoulder & np.isin(seen, (_TRUNK, _ARM)))
        if other.any():
            near = distance_transform_edt(~other) <= _MARGIN_PX
            contradicted |= (ours == group) & near
    return contradicted


def _over_bent_legs(part, labels, landmarks) -> np.ndarray:
    """Thighs that point to the viewer lie over the trunk, and the labels tell which is which. A
    jacket over straight legs is theirs."""
    places = in_view(landmarks)
    lines = places[[25, 26]] - places[[23, 24]]
    shown = np.linalg.norm(lines[:, :2], axis=1) / np.maximum(np.linalg.norm(lines, axis=1), 1e-6)
    sure = labels.sure > _LIKELY
    over = np.zeros(part.shape, bool)
    for thigh, share in zip((Part.THIGH_LEFT, Part.THIGH_RIGHT), shown):
        if share < _FORESHORTENED:
            over |= (part == PARTS.index(thigh)) & labels.is_one_of("torso") & sure
            over |= (part == PARTS.index(Part.TORSO)) & labels.is_one_of("legs") & sure
    if not over.any():
        return over
    return (part >= 0) & (distance_transform_edt(~over) <= 2 * _MARGIN_PX)


def _pockets(part, sharp, labels) -> np.ndarray:
    """Hands that have the colour of the clothes, not of the face: they are in pockets. Gloves of
    the trousers' colour are rarer."""
    hands = np.isin(part, _numbers(Part.HAND_RIGHT, Part.HAND_LEFT))
    skin = _colour_of(sharp, labels, "face")
    if skin is None or not hands.any():
        return np.zeros(part.shape, bool)
    clothes = [_colour_of(sharp, labels, name) for name in ("legs", "torso", "skirt")]
    from_skin = np.abs(sharp - skin).sum(-1)
    from_cloth = [np.abs(sharp - one).sum(-1) for one in clothes if one is not None]
    nearest = np.min([np.full(part.shape, np.inf), *from_cloth], 0)
    return hands & (from_skin > 2 * nearest + _UNLIKE_SKIN)


def _colour_of(sharp, labels, name: str) -> np.ndarray | None:
    there = labels.is_one_of(name) & (labels.sure > _SURE)
    return np.median(sharp[there], 0) if there.sum() > 8 else None


def _beside_leg(trust, own, other, sharp, mask, torso_px) -> None:
    """Beside the other leg: what has not the colour of the own middle is the gap or the other."""
    inside = distance_transform_edt(own)
    core = own & (inside >= 0.6 * maximum_filter(inside, size=9)) & (mask > 200)
    if own.sum() < 30 or core.sum() < 8 or not other.any():
        return
    band = own & (distance_transform_edt(~other) <= _LIMB_RIM * torso_px)
    if band.any():
        soft = gaussian_filter(sharp, (0.6, 0.6, 0))
        off = np.abs(soft - _nearest(gaussian_filter(sharp, (1.2, 1.2, 0)), core)).sum(-1)
        trust[band & (off > _OFF_COLOUR)] = 0


def _nearest(colours: np.ndarray, where: np.ndarray) -> np.ndarray:
    _, (rows, columns) = distance_transform_edt(~where, return_indices=True)
    return colours[rows, columns]
