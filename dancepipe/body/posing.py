"""33 landmarks with depth, and the hands' points -> an affine map of every bone.

View space: x right, y up, z towards the viewer, in px of the picture (a frontal person at rest is
the mesh scaled). Bones stretch to what is seen; depth is believed as it is after one factor (bone
lengths tell no more: correcting z by them made poses worse). Limbs take the smallest turn from
the chest or the pelvis; the planes of elbows and knees hardly turn them, as they are noise when
the limb is nearly straight.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit

from dancepipe.body.mesh import BodyMesh
from dancepipe.body.turns import (
    about,
    angle_about,
    angle_between,
    between,
    cross,
    dot,
    frame,
    length,
    nearest_turn,
    product,
    ramp,
    smallest,
    turned,
    unit,
)  # fmt: skip

# The pose network's z is about 3.7 times too large: least squares of l^2 = L^2 - (k z)^2 over bones
# of real people gave k = .2 to .4.
DEPTH_SCALE = 0.27
_HINGE_TWIST = 0.3  # share of the twist that the planes of elbow and knee tell
_SHORTEST, _LONGEST = 0.35, 1.6  # of a bone, against its rest length
_PELVIS_TURN = np.radians(60)  # against the chest, at most
_HEAD_POINTS = np.arange(11)
_HEAD_WEIGHT = np.array([2, 0.7, 1, 0.7, 0.7, 1, 0.7, 1.5, 1.5, 1, 1])
HEAD_SMALLEST, HEAD_LARGEST = 0.85, 1.3  # of the photo's head, against the average one
_SURE_HAND, _UNSURE_HAND = 0.8, 0.5  # presence of a hand: its fingers are posed, or hang as at rest
HAND_DEPTH_SCALE = 0.6  # of the hand network's z

# A hand or elbow that is seen before the trunk lies on its surface at least; torso lengths.
_SURFACE = ((15, 0.27), (13, 0.2), (17, 0.29), (19, 0.29), (21, 0.29))  # landmark, before the axis
_CLEARLY_BEHIND, _SEEN = 0.1, 0.6

# Where bones lie in BodyMesh.bones.
_ROOT, _SPINE, _CHEST, _NECK, _HEAD = 0, 1, 5, 6, 7
_SIDE, _SIDE_BONES = 8, 23  # left, then right: clavicle, arm, hand, 15 of fingers, leg, foot
_CLAVICLE, _UPPER_ARM, _FOREARM, _WRIST, _FINGERS = 0, 1, 2, 3, 4
_THIGH, _SHIN, _FOOT, _TOES = 19, 20, 21, 22


@dataclass(frozen=True)
class BonePose:
    """What every bone does: rest (dm) -> view px, p -> A p + b; y up."""

    A: np.ndarray  # float32 (B, 3, 3)
    b: np.ndarray  # float32 (B, 3)
    scale_px_per_dm: float
    torso_px: float
    head_scale: float  # of the head, against the body's


class Poser:
    """Poses one mesh."""

    def __init__(self, mesh: BodyMesh):
        rest = mesh.landmarks_dm
        self._mesh = mesh
        self._shoulders, self._hips = (rest[11] + rest[12]) / 2, (rest[23] + rest[24]) / 2
        self.torso_dm = float(np.linalg.norm(self._shoulders - self._hips))
        self._frame = frame(np.array([1.0, 0, 0]), self._shoulders - self._hips)

    def pose(
        self,
        landmarks: np.ndarray,
        torso_px: float,
        head_scale: float | None = None,
        hands: np.ndarray | None = None,
    ) -> BonePose:
        """landmarks (33, 4): x_px, y_px, depth_px (larger = farther), visibility.

        torso_px: the body unit, from the middle of the hips to that of the shoulders when nothing
        is foreshortened. head_scale: the photo's, for its targets; None: as the landmarks say.
        hands (2, 21, 4): right and left, x_px, y_px, depth_px, presence.
        """
        mesh = self._mesh
        if hands is None:
            hands = np.zeros((2, 21, 4))
        points, seen = in_view(landmarks), landmarks[:, 3].astype(np.float64)
        before_trunk(points, seen, float(torso_px))
        A, b, head = _bones(
            points, seen, float(torso_px),
            -1.0 if head_scale is None else float(head_scale), hands_in_view(hands),
            mesh.landmarks_dm, mesh.hands_dm, mesh.heads_dm, self._frame, self._hips,
            self.torso_dm,
        )  # fmt: skip
        scale = torso_px / self.torso_dm
        return BonePose(A.astype(np.float32), b.astype(np.float32), scale, torso_px, head)


def in_view(landmarks: np.ndarray) -> np.ndarray:
    """float64 (33, 3): landmarks (x_px, y_px, depth_px, ...) in view space, depth scaled."""
    points = np.asarray(landmarks, np.float64)
    return np.stack([points[:, 0], -points[:, 1], -points[:, 2] * DEPTH_SCALE], 1)


def hands_in_view(hands: np.ndarray) -> np.ndarray:
    """float64 (2, 21, 4): view space, and presence."""
    points = np.asarray(hands, np.float64)
    return np.stack(
        [points[..., 0], -points[..., 1], -points[..., 2] * HAND_DEPTH_SCALE, points[..., 3]], -1
    )


@njit(cache=True, nogil=True)
def before_trunk(Q, seen, torso):
    """Bring arms that are seen, but whose depth puts them inside the trunk, to its surface (in
    place): the network's depth is good to a few hundredths of a torso, which is an arm's width."""
    shoulders, hips = (Q[11] + Q[12]) / 2, (Q[23] + Q[24]) / 2
    up = shoulders - hips
    tall = up[0] * up[0] + up[1] * up[1]
    if tall < (0.3 * torso) ** 2:
        return
    half_top = abs((Q[11, 0] - Q[12, 0]) * up[1] - (Q[11, 1] - Q[12, 1]) * up[0]) / tall / 2
    half_low = abs((Q[23, 0] - Q[24, 0]) * up[1] - (Q[23, 1] - Q[24, 1]) * up[0]) / tall / 2
    half_low = half_low * 1.3
    for index in range(len(_SURFACE)):
        point, surface = _SURFACE[index]
        for side in range(2):
            at = Q[int(point) + side]
            x, y = at[0] - hips[0], at[1] - hips[1]
            height = (x * up[0] + y * up[1]) / tall  # 0 hips, 1 shoulders
            aside = abs(x * up[1] - y * up[0]) / tall
            half = half_low + (half_top - half_low) * min(max(height, 0.0), 1.0)
            inside = ramp(1.0, 0.7, aside / max(half, 1e-6)) if half > 0 else 0.0
            inside *= ramp(-0.35, -0.15, height) * ramp(1.1, 0.95, height)
            inside *= ramp(_SEEN - 0.2, _SEEN, seen[15 + side])
            axis = hips[2] + up[2] * min(max(height, 0.0), 1.0)
            behind = axis - _CLEARLY_BEHIND * torso - at[2]
            inside *= ramp(0.1 * torso, 0.0, behind)
            need = axis + surface * torso
            if inside > 0 and at[2] < need:
                at[2] += (need - at[2]) * inside


@njit(cache=True, nogil=True)
def _stretched(R, scale, along, stretch):
    """R (scale (I - d d') + stretch d d'): girth by scale, length by stretch."""
    d = unit(along)
    M = np.empty((3, 3))
    for i in range(3):
        for j in range(3):
            M[i, j] = (stretch - scale) * d[i] * d[j]
        M[i, i] += scale
    return product(R, M)


@njit(cache=True, nogil=True)
def _put(A, b, bone, R, scale, rest_from, rest_to, at, to):
    """A bone from `at` to `to`, stretched within bounds."""
    k = length(to - at) / length(rest_to - rest_from)
    k = min(max(k, _SHORTEST * scale), _LONGEST * scale)
    A[bone] = _stretched(R, scale, rest_to - rest_from, k)
    b[bone] = at - turned(A[bone], rest_from)


@njit(cache=True, nogil=True)
def _bones(Q, seen, torso, head_scale, hands, L, H, heads, F, HM, torso_dm):
    """A (B, 3, 3), b (B, 3), and the head's scale against the body's."""
    count = heads.shape[0]
    A, b = np.zeros((count, 3, 3)), np.zeros((count, 3))
    s = torso / torso_dm
    shoulders, hips = (Q[11] + Q[12]) / 2, (Q[23] + Q[24]) / 2
    up = shoulders - hips
    if length(up) < 0.05 * torso:  # a torso seen from its end
        up = np.array([0.0, 0.05 * torso, 0.0])
    across_chest, across_hips = Q[11] - Q[12], Q[23] - Q[24]
    chest = frame(across_chest, up)
    pelvis = frame(0.65 * unit(across_hips) + 0.35 * unit(across_chest), up)
    twist = angle_between(chest, pelvis)
    pelvis = between(chest, pelvis, min(1.0, _PELVIS_TURN / max(twist, 1e-6)))
    # The torso: one axis, turned from pelvis to chest by height, so that it stays whole.
    sy = length(up) / torso_dm
    rest_back = F.T.copy()
    for i in range(_ROOT, _CHEST + 1):
        height = dot(heads[i] - HM, F[:, 1].copy()) / torso_dm
        share = 0.0 if i == _ROOT else ramp(0.0, 0.85, min(max(height, 0.0), 1.0))
        R = between(pelvis, chest, share)
        for j in range(3):
            R[j, 0] *= s
            R[j, 1] *= sy
            R[j, 2] *= s
        A[i] = product(R, rest_back)
        b[i] = hips - turned(A[i], HM)
    chest_turn, pelvis_turn = product(chest, rest_back), product(pelvis, rest_back)
    for side in range(2):
        _arm(A, b, side, Q, seen, torso, s, hands, L, H, heads, chest_turn)
        _leg(A, b, side, Q, seen, torso, s, L, pelvis_turn)
    head = _head(A, b, Q, s, head_scale, L, heads, chest_turn)
    return A, b, head


@njit(cache=True, nogil=True)
def _arm(A, b, side, Q, seen, torso, s, hands, L, H, heads, chest_turn):
    first = _SIDE + side * _SIDE_BONES
    shoulder, elbow, wrist = Q[11 + side], Q[13 + side], Q[15 + side]
    clavicle = first + _CLAVICLE
    at = turned(A[_CHEST], heads[clavicle]) + b[_CHEST]
    rest = L[11 + side] - heads[clavicle]
    R = product(smallest(turned(chest_turn, rest), shoulder - at), chest_turn)
    _put(A, b, clavicle, R, s, heads[clavicle], L[11 + side], at, shoulder)
    rest_upper, rest_fore = L[13 + side] - L[11 + side], L[15 + side] - L[13 + side]
    upper, fore = unit(elbow - shoulder), unit(wrist - elbow)
    if length(elbow - shoulder) < 1e-6:
        upper = unit(turned(chest_turn, rest_upper))
    if length(wrist - elbow) < 1e-6:
        fore = upper
    R = product(smallest(turned(chest_turn, rest_upper), upper), chest_turn)
    bend = cross(upper, fore)
    how_bent = length(bend)
    twist = angle_about(turned(R, cross(rest_upper, rest_fore)), bend, upper)
    twist = min(max(twist, -2.2), 2.2) * ramp(0.2, 0.5, how_bent) * _HINGE_TWIST
    R = product(about(upper, twist), R)
    _put(A, b, first + _UPPER_ARM, R, s, L[11 + side], L[13 + side], shoulder, elbow)
    R_fore = product(smallest(turned(R, rest_fore), fore), R)
    # The hand: rigid, from wrist, index and little finger.
    rest_hand = (L[17 + side] + L[19 + side]) / 2 - L[15 + side]
    rest_across = L[19 + side] - L[17 + side]
    along = (Q[17 + side] + Q[19 + side]) / 2 - wrist
    across = Q[19 + side] - Q[17 + side]
    sure = seen[15 + side] * ramp(0.06, 0.16, length(along) / torso)
    hand = unit(unit(fore) * (1.05 - sure) + unit(along) * sure)
    if dot(hand, fore) < 0.362:  # 1.2 rad: no wrist bends further
        hand = turned(about(cross(fore, hand), 1.2), fore)
    R_hand = product(smallest(turned(R_fore, rest_hand), hand), R_fore)
    across = across - dot(across, hand) * hand
    roll = 0.0
    if length(across) > 0.02 * torso:
        roll = angle_about(turned(R_hand, rest_across), across, hand)
        roll = min(max(roll, -1.9), 1.9) * sure * ramp(0.02, 0.08, length(across) / torso)
    R_fore = product(about(fore, roll * 0.5), R_fore)
    _put(A, b, first + _FOREARM, R_fore, s, L[13 + side], L[15 + side], elbow, wrist)
    R_hand = product(about(hand, roll), R_hand)
    A[first + _WRIST] = _stretched(R_hand, s, rest_hand, s)
    b[first + _WRIST] = wrist - turned(A[first + _WRIST], L[15 + side])
    _fingers(A, b, first, hands[1 - side], s, H[1 - side], heads, R_hand)


@njit(cache=True, nogil=True)
def _fingers(A, b, first, hand, s, rest, heads, R_hand):
    """Each joint takes the smallest turn from the one before it; a hand that is not sure hangs as
    at rest."""
    presence = hand[0, 3]
    share = ramp(_UNSURE_HAND, _SURE_HAND, presence)
    for finger in range(5):
        R = R_hand
        before = first + _WRIST
        for joint in range(3):
            bone = first + _FINGERS + 3 * finger + joint
            here, there = 4 * finger + 1 + joint, 4 * finger + 2 + joint
            at = turned(A[before], heads[bone]) + b[before]
            if share > 0:
                along = hand[there, :3] - hand[here, :3]
                rest_along = rest[there] - rest[here]
                if length(along) > 1e-6:
                    turn = smallest(turned(R, rest_along), along)
                    R = between(R, product(turn, R), share)
            for i in range(3):
                for j in range(3):
                    A[bone, i, j] = R[i, j] * s
            b[bone] = at - turned(A[bone], heads[bone])
            before = bone


@njit(cache=True, nogil=True)
def _leg(A, b, side, Q, seen, torso, s, L, pelvis_turn):
    first = _SIDE + side * _SIDE_BONES
    hip, knee, ankle = Q[23 + side], Q[25 + side], Q[27 + side]
    rest_thigh, rest_shin = L[25 + side] - L[23 + side], L[27 + side] - L[25 + side]
    thigh, shin = unit(knee - hip), unit(ankle - knee)
    if length(knee - hip) < 1e-6:
        thigh = unit(turned(pelvis_turn, rest_thigh))
    if length(ankle - knee) < 1e-6:
        shin = thigh
    sole = Q[31 + side] - Q[29 + side]
    side_axis = np.array([1.0, 0.0, 0.0])
    R = product(smallest(turned(pelvis_turn, rest_thigh), thigh), pelvis_turn)
    bend = cross(thigh, shin)
    by_foot = cross(sole, shin)
    by_foot = unit(by_foot) if length(by_foot) > 0.05 * torso else turned(pelvis_turn, side_axis)
    normal = (
        unit(bend) * ramp(0.15, 0.45, length(bend)) * 1.5
        + 0.35 * by_foot
        + 0.5 * turned(R, side_axis)
    )
    twist = angle_about(turned(R, side_axis), normal, thigh)
    R = product(about(thigh, min(max(twist, -1.2), 1.2) * _HINGE_TWIST), R)
    _put(A, b, first + _THIGH, R, s, L[23 + side], L[25 + side], hip, knee)
    R_shin = product(smallest(turned(R, rest_shin), shin), R)
    turn = angle_about(turned(R_shin, side_axis), by_foot, shin)
    R_shin = product(about(shin, min(max(turn, -0.9), 0.9) * 0.6), R_shin)
    _put(A, b, first + _SHIN, R_shin, s, L[25 + side], L[27 + side], knee, ankle)
    rest_sole = L[31 + side] - L[29 + side]
    sure = seen[31 + side] * ramp(0.05, 0.15, length(sole) / torso)
    towards = unit(unit(sole) * sure + unit(turned(R_shin, rest_sole)) * (1.02 - sure))
    R_foot = product(smallest(turned(R_shin, rest_sole), towards), R_shin)
    k = min(max(length(sole) / length(rest_sole), 0.85 * s), 1.25 * s)
    for bone in (first + _FOOT, first + _TOES):
        A[bone] = _stretched(R_foot, s, rest_sole, k)
        b[bone] = ankle - turned(A[bone], L[27 + side])


@njit(cache=True, nogil=True)
def _head(A, b, Q, s, head_scale, L, heads, chest_turn):
    """Kabsch over the face's points; the head hangs on the chest in depth, the neck between."""
    rest_middle, middle, total = np.zeros(3), np.zeros(3), 0.0
    for i in _HEAD_POINTS:
        rest_middle += _HEAD_WEIGHT[i] * L[i]
        middle += _HEAD_WEIGHT[i] * Q[i]
        total += _HEAD_WEIGHT[i]
    rest_middle /= total
    middle /= total
    C, spread = np.zeros((3, 3)), 0.0
    for i in _HEAD_POINTS:
        x, y = L[i] - rest_middle, Q[i] - middle
        spread += _HEAD_WEIGHT[i] * dot(x, x)
        for j in range(3):
            for k in range(3):
                C[j, k] += _HEAD_WEIGHT[i] * y[j] * x[k]
    R, singular = nearest_turn(C)
    scale = head_scale
    if scale < 0:
        scale = min(max(singular / spread / s, HEAD_SMALLEST), HEAD_LARGEST)
    A[_HEAD] = R * (s * scale)
    b[_HEAD] = middle - turned(A[_HEAD], rest_middle)
    on_chest = turned(A[_CHEST], heads[_HEAD]) + b[_CHEST]
    b[_HEAD, 2] += on_chest[2] - (turned(A[_HEAD], heads[_HEAD]) + b[_HEAD])[2]
    at = turned(A[_CHEST], heads[_NECK]) + b[_CHEST]
    to = turned(A[_HEAD], heads[_HEAD]) + b[_HEAD]
    half = between(chest_turn, R, 0.5)
    along = heads[_HEAD] - heads[_NECK]
    _put(A, b, _NECK, product(smallest(turned(half, along), to - at), half), s,
         heads[_NECK], heads[_HEAD], at, to)  # fmt: skip
    return scale
