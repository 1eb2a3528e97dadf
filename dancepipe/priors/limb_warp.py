"""The limb warp: the reference moved into the target pose by arithmetic alone, from the two sets of
joints.

Ten bones carry a similarity each, the torso an affine map by its five joints, the head a similarity
by its own points and the neck. A target pixel takes the map of the part that is nearest, in units
of that part's width, and what lies outside all parts' capsules is no body. Every width is in torso
lengths, so the size of the picture has no say. Nothing is learnt: it is the opponent that a network
must beat, and a prior that a network can be given.

Maps go from target to source pixels. Pictures stand on grey, which is 0 to the networks, so a
picture in [-1, 1] is already multiplied by its matte, and blends need no division.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from dancepipe.nn.local_attention import coordinates, sample
from dancepipe.pose.skeleton import (
    L_ANKLE,
    L_EAR,
    L_ELBOW,
    L_EYE,
    L_HIP,
    L_KNEE,
    L_SHOULDER,
    L_WRIST,
    NECK,
    NOSE,
    R_ANKLE,
    R_EAR,
    R_ELBOW,
    R_EYE,
    R_HIP,
    R_KNEE,
    R_SHOULDER,
    R_WRIST,
)  # fmt: skip
from dancepipe.priors.moved_warp import WarpLayers, laid, mapped, uncovered

# start joint, end joint, radius at the start and at the end, how far the part reaches beyond its
# end (hands, feet); torso lengths
BONES = (
    (NECK, R_SHOULDER, 0.14, 0.15, 0.0),
    (R_SHOULDER, R_ELBOW, 0.15, 0.15, 0.0),
    (R_ELBOW, R_WRIST, 0.12, 0.12, 0.35),
    (NECK, L_SHOULDER, 0.14, 0.15, 0.0),
    (L_SHOULDER, L_ELBOW, 0.15, 0.15, 0.0),
    (L_ELBOW, L_WRIST, 0.12, 0.12, 0.35),
    (R_HIP, R_KNEE, 0.23, 0.16, 0.0),
    (R_KNEE, R_ANKLE, 0.15, 0.11, 0.14),
    (L_HIP, L_KNEE, 0.23, 0.16, 0.0),
    (L_KNEE, L_ANKLE, 0.15, 0.11, 0.14),
)
BONE_STARTS, BONE_ENDS = [bone[0] for bone in BONES], [bone[1] for bone in BONES]
_TORSO_JOINTS = [NECK, R_SHOULDER, L_SHOULDER, R_HIP, L_HIP]
_CORNERS = [R_SHOULDER, L_SHOULDER, L_HIP, R_HIP]
HEAD_JOINTS = [NOSE, R_EYE, L_EYE, R_EAR, L_EAR]
# what limb_flow takes for the bones of the torso, two, and of the head
SPINE_AND_FACE = ((NECK, R_HIP), (NECK, L_HIP), (NECK, NOSE), (R_EYE, L_EYE))
PARTS = len(BONES) + 2  # the torso and the head come last
TORSO, HEAD = PARTS - 2, PARTS - 1

SCALE_RANGE = (
    0.85,
    1.2,
)  # of a bone, against the whole body's scale: a foreshortened bone does not become thinner
# torso lengths; a torso seen narrower than this follows its similarity rather than its affine map
_TORSO_STIFFNESS = 0.15
TORSO_RIM = 0.15  # torso lengths of flesh around the hull of shoulders and hips
# distance inside the hull: limbs lie over it with the part of them that is nearer than that
TORSO_DEPTH = 0.35
HEAD_HALF_WH = (0.36, 0.51)  # torso lengths, around the middle of the face points
CUT, CUT_SLOPE = 1.12, 5.0  # parts end softly between distances 0.92 and 1.12
INNER, INNER_SLOPE = 0.75, 5.0  # deeper than this a hole is filled with the person's mean colour
SMOOTH_SIGMA = 0.13  # torso lengths; reach of a bone in limb_flow
SHARPNESS = 3.0
FAR = 1e4
ARMS, _FOREARMS = (
    [1, 2, 4, 5],
    [2, 5],
)  # forearms with their hands; they hang before hips and thighs in most photos
_COVER = 0.95  # distance from a forearm within which it hides what lies behind it
_PRIOR_PX = 20.0  # a part seen in fewer pixels takes its colour from the whole person


@dataclass(frozen=True)
class LimbWarp:
    """The reference in the target pose. Not differentiated."""

    picture: Tensor  # (B, 3, H, W) in [-1, 1], on grey
    matte: Tensor  # (B, 1, H, W) in [0, 1]
    # (B, 2, H, W) px: target p + flow = source; of the nearest part, 0 where there is no body at
    # all
    flow: Tensor
    layers: WarpLayers  # the same, to be read beside its place


@dataclass(frozen=True)
class WarpSource:
    """What the warp takes from the reference alone."""

    # (B, 5, H, W): picture, matte, and where a forearm or hand hides what lies behind it
    pixels: Tensor
    colours: Tensor  # (B, P, 3): mean colour of each part


@torch.no_grad()
def warp_source(I_r: Tensor, matte_r: Tensor, joints_r: Tensor) -> WarpSource:
    """I_r (B, 3, H, W) in [-1, 1] on grey, matte_r (B, 1, H, W) in [0, 1], joints_r (B, 18, 3)."""
    joints_r = joints_r.to(I_r.device)
    own = LimbBody(joints_r, joints_r).distances(*I_r.shape[2:])  # (B, P, H, W), in the reference
    covered = ((_COVER - own[:, _FOREARMS].amin(1, keepdim=True)) * CUT_SLOPE).clamp(0, 1)
    pixels = torch.cat((I_r.float(), matte_r.float(), covered), 1)
    return WarpSource(pixels, _part_colours(pixels, own))


@torch.no_grad()
def limb_warp(
    I_r: Tensor,
    matte_r: Tensor,
    joints_r: Tensor,
    joints_t: Tensor,
    source: WarpSource | None = None,
) -> LimbWarp:
    """I_r (B, 3, H, W) in [-1, 1] on grey, matte_r (B, 1, H, W) in [0, 1], joints (B, 18, 3): x_px,
    y_px, confidence.

    A part is left out when its joints are missing (confidence <= 0) on either side. Runs in float32
    on the pictures' device. source: `warp_source` of the same reference, batch 1 or B, when it
    serves more often than once.
    """
    height, width = I_r.shape[2:]
    source = source or warp_source(I_r, matte_r, joints_r)
    body = LimbBody(joints_r.to(I_r.device), joints_t.to(I_r.device))
    distance = body.distances(height, width)  # (B, P, H, W)
    nearest, part = distance.min(1)  # (B, H, W)
    flow = _flow_of(body.maps, part)  # (B, 2, H, W)
    is_arm = flow.new_tensor([index in ARMS for index in range(PARTS)])
    moved = sample(
        source.pixels, *coordinates(flow), "zeros"
    )  # (B, 5, H, W); nothing (0: grey, no body) lies outside the picture
    moved = uncovered(moved, is_arm[part])
    mean = _of_part(source.colours.expand(len(flow), -1, -1), part)  # (B, 3, H, W)

    body_here = ((CUT - nearest) * CUT_SLOPE).clamp(0, 1)[:, None]
    inner = ((INNER - distance[:, :HEAD].amin(1)) * INNER_SLOPE).clamp(0, 1)[:, None]
    hole = (1 - moved[:, 3:]) * inner
    layers = WarpLayers(
        source.pixels, body.maps, part, is_arm, torch.cat((body_here, hole * mean, hole), 1)
    )
    return LimbWarp(*laid(moved, layers.rest), flow * (nearest < FAR / 2)[:, None], layers)


def _part_colours(pixels: Tensor, own: Tensor) -> Tensor:
    """(B, P, 3): the mean colour of what is seen of each part, drawn to the whole person's where
    that is little."""
    picture, body, covered = (
        pixels[:, :3].flatten(2),
        pixels[:, 3].flatten(1),
        pixels[:, 4].flatten(1),
    )  # (B, 3, H W), (B, H W) twice
    part = own.flatten(2).argmin(1)  # (B, H W)
    seen = body * torch.where(torch.isin(part, part.new_tensor(ARMS)), 1.0, 1 - covered)
    values = torch.cat((picture * seen[:, None], seen[:, None]), 1)  # (B, 4, H W)
    sums = values.new_zeros(len(own), 4, PARTS).scatter_add_(
        2, part[:, None].expand(-1, 4, -1), values
    )
    # All in one: a sum down to a single number is shared out among the threads, its rounding too.
    totals = pixels[:, :4].flatten(2).sum(2, keepdim=True)  # (B, 4, 1)
    whole = totals[:, :3] / totals[:, 3:].clamp_min(1)  # (B, 3, 1)
    return ((sums[:, :3] + _PRIOR_PX * whole) / (sums[:, 3:] + _PRIOR_PX)).transpose(1, 2)


def _of_part(colours: Tensor, part: Tensor) -> Tensor:
    """colours (B, P, 3), part (B, H, W) -> (B, 3, H, W)."""
    chosen = torch.gather(colours, 1, part.flatten(1)[..., None].expand(-1, -1, 3))
    return chosen.transpose(1, 2).view(len(part), 3, *part.shape[1:])


@torch.no_grad()
def limb_flow(joints_r: Tensor, joints_t: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """The same maps as one smooth field: flow (B, 2, H, W) px, target p + flow = source, and
    coverage (B, 1, H, W) in [0, 1].

    Coverage is 1 on a bone and falls off with the distance from it; without any common part the
    flow is 0.
    """
    body = LimbBody(joints_r, joints_t)
    closeness = -0.5 * (body.bone_distances(height, width) / SMOOTH_SIGMA).square()  # (B, P, H, W)
    weights = torch.softmax(closeness * SHARPNESS, 1) * body.present[:, :, None, None]
    flow = torch.einsum(
        "bphw,bpic,chw->bihw",
        weights,
        body.maps - _identity(body.maps),
        _homogeneous(height, width, body.maps),
    )
    return flow.clamp(-max(height, width), max(height, width)), torch.exp(
        closeness.amax(1, keepdim=True)
    ) * body.present.any(1)[:, None, None, None]


class LimbBody:
    """The parts of a batch of pairs: which are there, how they map, how far a pixel is from
    each."""

    def __init__(self, joints_r: Tensor, joints_t: Tensor):
        for joints in (joints_r, joints_t):
            if joints.ndim != 3 or joints.shape[1:] != (18, 3):
                raise ValueError(f"joints must have shape (B, 18, 3), got {tuple(joints.shape)}")
        found_r, found_t = (joints[..., 2] > 0 for joints in (joints_r, joints_t))  # (B, 18)
        # A missing joint may carry any point, even nan.
        points_r, points_t = (
            torch.where(
                found[..., None], joints[..., :2].float(), torch.zeros((), device=joints.device)
            )
            for joints, found in ((joints_r, found_r), (joints_t, found_t))
        )
        self.points, self.found = points_t, found_t
        self.unit = _torso_lengths(points_t, found_t)  # (B,)
        common = found_r & found_t
        scale = _torso_lengths(points_r, common) / _torso_lengths(
            points_t, common
        )  # (B,) source px per target px
        limbs, limbs_there = _bone_maps(points_r, points_t, common, scale)
        torso, torso_there = _torso_map(points_r, points_t, common, scale, self.unit)
        head, head_there = _head_map(points_r, points_t, common, scale)
        self.maps = torch.cat((limbs, torso[:, None], head[:, None]), 1)  # (B, P, 2, 3)
        self.present = torch.cat(
            (limbs_there, torso_there[:, None], head_there[:, None]), 1
        )  # (B, P)

    def distances(self, height: int, width: int) -> Tensor:
        """(B, P, H, W): 0 on a part's axis, 1 at its outline, far for a part that is not there."""
        unit = self.unit[:, None, None, None]
        start, end = self.points[:, BONE_STARTS], self.points[:, BONE_ENDS]  # (B, 10, 2)
        reach, first, last = (start.new_tensor([bone[i] for bone in BONES]) for i in (4, 2, 3))
        away, along = _from_segments(
            start, end + reach[:, None] * (end - start), height, width
        )  # (B, 10, H, W)
        limbs = away / (unit * (first[:, None, None] + (last - first)[:, None, None] * along))
        outside, inside = _from_hull(self.corners(), height, width)  # (B, H, W)
        torso = torch.where(inside, TORSO_DEPTH, outside / (unit[:, 0] * TORSO_RIM))
        return self._with_far(
            torch.cat((limbs, torso[:, None], self._head_distance(height, width)[:, None]), 1)
        )

    def bone_distances(self, height: int, width: int) -> Tensor:
        """(B, P, H, W): torso lengths from a part's bones, far for a part that is not there."""
        pairs = [*zip(BONE_STARTS, BONE_ENDS), *SPINE_AND_FACE]
        starts, ends = [first for first, _ in pairs], [last for _, last in pairs]
        away, _ = _from_segments(self.points[:, starts], self.points[:, ends], height, width)
        away = away / self.unit[:, None, None, None]
        away = torch.where(
            (self.found[:, starts] & self.found[:, ends])[:, :, None, None], away, FAR
        )
        bones = len(BONES)
        return self._with_far(
            torch.cat(
                (
                    away[:, :bones],
                    away[:, bones : bones + 2].amin(1, True),
                    away[:, bones + 2 :].amin(1, True),
                ),
                1,
            )
        )

    def _with_far(self, distance: Tensor) -> Tensor:
        return distance.add_(self.present[:, :, None, None].logical_not() * FAR)

    def corners(self) -> Tensor:
        """(B, 4, 2): shoulders and hips of the target, the unseen ones where they would be on an
        upright body."""
        points, found = self.points, self.found
        right, left = points[:, R_SHOULDER], points[:, L_SHOULDER]
        neck = torch.where(found[:, NECK, None], points[:, NECK], (right + left) / 2)
        right = torch.where(found[:, R_SHOULDER, None], right, 2 * neck - left)
        left = torch.where(found[:, L_SHOULDER, None], left, 2 * neck - right)
        across = left - right  # towards the body's left
        down = torch.stack((-across[:, 1], across[:, 0]), 1)
        away_from_head = torch.where(
            found[:, NOSE, None], neck - points[:, NOSE], neck.new_tensor([0.0, 1.0])
        )
        down = down * torch.where((down * away_from_head).sum(1, keepdim=True) < 0, -1.0, 1.0)
        guess = neck + self.unit[:, None] * down / down.norm(dim=1, keepdim=True).clamp_min(1e-3)
        seen_r, seen_l = found[:, R_HIP, None], found[:, L_HIP, None]
        hip_r = torch.where(
            seen_r,
            points[:, R_HIP],
            torch.where(seen_l, points[:, L_HIP] - 0.6 * across, guess - 0.3 * across),
        )
        hip_l = torch.where(
            seen_l,
            points[:, L_HIP],
            torch.where(seen_r, points[:, R_HIP] + 0.6 * across, guess + 0.3 * across),
        )
        return torch.stack((right, left, hip_l, hip_r), 1)

    def head(self) -> tuple[Tensor, Tensor]:
        """Centre (B, 2) px and direction (B, 2) along neck -> face, upright when there is no
        neck."""
        centre = mean_point(self.points, self.found, HEAD_JOINTS)
        up = torch.where(
            self.found[:, NECK, None],
            centre - self.points[:, NECK],
            centre.new_tensor([0.0, -1.0]),
        )
        return centre, up / up.norm(dim=1, keepdim=True).clamp_min(1e-3)

    def _head_distance(self, height: int, width: int) -> Tensor:
        """(B, H, W): an ellipse."""
        centre, up = self.head()
        offset = _pixels(height, width, centre) - centre[:, :, None, None]  # (B, 2, H, W)
        tall = (offset * up[:, :, None, None]).sum(1)
        wide = offset[:, 0] * up[:, 1, None, None] - offset[:, 1] * up[:, 0, None, None]
        half_w, half_h = HEAD_HALF_WH
        unit = self.unit[:, None, None]
        return ((wide / half_w).square() + (tall / half_h).square()).sqrt() / unit


def _torso_lengths(points: Tensor, found: Tensor) -> Tensor:
    """(B,) px, the body unit as person/skeleton.torso_length_px has it; without its bones a
    third of what is seen, at least 1."""
    lengths = []
    for first, last, factor in (
        (NECK, R_HIP, 1.0),
        (NECK, L_HIP, 1.0),
        (R_SHOULDER, L_SHOULDER, 1.3),
        (R_HIP, R_KNEE, 1.1),
        (L_HIP, L_KNEE, 1.1),
    ):
        length = factor * (points[:, first] - points[:, last]).norm(dim=1)
        lengths.append(torch.where(found[:, first] & found[:, last], length, -1.0))
    longest = torch.stack(lengths, 1).amax(1)
    low = points.masked_fill(~found[..., None], float("inf")).amin(1)
    high = points.masked_fill(~found[..., None], float("-inf")).amax(1)
    spread = (
        torch.where(found.any(1), (high - low).norm(dim=1), torch.zeros_like(longest)).nan_to_num(0)
        / 3
    )
    return torch.where(longest > 0, longest, spread).clamp_min(1)


def _bone_maps(
    points_r: Tensor, points_t: Tensor, common: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """Similarities (B, 10, 2, 3) that take each target bone's direction and middle to the source
    bone's."""
    a, b, c, d = (
        points_r[:, BONE_STARTS],
        points_r[:, BONE_ENDS],
        points_t[:, BONE_STARTS],
        points_t[:, BONE_ENDS],
    )
    turn = _turn(d - c, b - a)  # (B, 10, 2) as a complex number
    there = common[:, BONE_STARTS] & common[:, BONE_ENDS]
    return _similarity(turn, scale[:, None], (a + b) / 2, (c + d) / 2), there


def _head_map(
    points_r: Tensor, points_t: Tensor, common: Tensor, scale: Tensor
) -> tuple[Tensor, Tensor]:
    """The similarity (B, 2, 3) that takes neck -> middle of the common face points to its
    source; pure shift without a neck."""
    centre_r, centre_t = (
        mean_point(points, common, HEAD_JOINTS) for points in (points_r, points_t)
    )
    there = common[:, HEAD_JOINTS].any(1)
    turn = _turn(centre_t - points_t[:, NECK], centre_r - points_r[:, NECK])
    turn = torch.where(
        common[:, NECK, None], turn, torch.stack((scale, torch.zeros_like(scale)), 1)
    )
    return _similarity(turn, scale, centre_r, centre_t), there


def _torso_map(
    points_r: Tensor, points_t: Tensor, common: Tensor, scale: Tensor, unit: Tensor
) -> tuple[Tensor, Tensor]:
    """The affine map (B, 2, 3) by the common ones of the five torso joints, held to their
    similarity where they say little."""
    weights = common[:, _TORSO_JOINTS].float()[..., None]  # (B, 5, 1)
    count = weights.sum(1)
    centre_r, centre_t = (
        mean_point(points, common, _TORSO_JOINTS) for points in (points_r, points_t)
    )
    p = (points_r[:, _TORSO_JOINTS] - centre_r[:, None]) * weights
    q = (points_t[:, _TORSO_JOINTS] - centre_t[:, None]) * weights
    # least squares in complex numbers: sum p conj(q) / sum |q|^2
    size = q.square().sum((1, 2)).clamp_min(1e-6)
    turn = (
        torch.stack(
            ((p * q).sum((1, 2)), (p[..., 1] * q[..., 0] - p[..., 0] * q[..., 1]).sum(1)), 1
        )
        / size[:, None]
    )
    similarity = _linear(_clamped(turn, scale))  # (B, 2, 2)
    stiffness = (count * (_TORSO_STIFFNESS * unit[:, None]).square())[..., None] * torch.eye(
        2, device=q.device
    )
    # linear (q^T q + stiffness) = p^T q + similarity stiffness: two by two, solved by hand
    normal = q.transpose(1, 2) @ q + stiffness
    right = p.transpose(1, 2) @ q + similarity @ stiffness
    determinant = normal[:, 0, 0] * normal[:, 1, 1] - normal[:, 0, 1] * normal[:, 1, 0]
    inverse = torch.stack(
        (normal[:, 1, 1], -normal[:, 0, 1], -normal[:, 1, 0], normal[:, 0, 0]), 1
    ).view(-1, 2, 2)
    linear = right @ inverse / determinant.clamp_min(1e-6)[:, None, None]
    return _with_shift(linear, centre_r, centre_t), count[:, 0] >= 2


def _turn(from_vector: Tensor, to_vector: Tensor) -> Tensor:
    """The complex number (..., 2) that turns and scales one vector into the other."""
    square = from_vector.square().sum(-1, keepdim=True) + 1e-3
    along = (from_vector * to_vector).sum(-1, keepdim=True)
    across = from_vector[..., :1] * to_vector[..., 1:] - from_vector[..., 1:] * to_vector[..., :1]
    return torch.cat((along, across), -1) / square


def _clamped(turn: Tensor, scale: Tensor) -> Tensor:
    size = turn.norm(dim=-1).clamp_min(1e-6)
    low, high = SCALE_RANGE
    return turn * (torch.minimum(torch.maximum(size, low * scale), high * scale) / size)[..., None]


def _linear(turn: Tensor) -> Tensor:
    real, imaginary = turn.unbind(-1)
    return torch.stack(
        (torch.stack((real, -imaginary), -1), torch.stack((imaginary, real), -1)), -2
    )


def _similarity(turn: Tensor, scale: Tensor, middle_r: Tensor, middle_t: Tensor) -> Tensor:
    return _with_shift(_linear(_clamped(turn, scale)), middle_r, middle_t)


def _with_shift(linear: Tensor, middle_r: Tensor, middle_t: Tensor) -> Tensor:
    """(..., 2, 3): x -> linear (x - middle_t) + middle_r."""
    return torch.cat((linear, (middle_r[..., None] - linear @ middle_t[..., None])), -1)


def mean_point(points: Tensor, found: Tensor, joints: list[int]) -> Tensor:
    weights = found[:, joints].float()[..., None]
    return (points[:, joints] * weights).sum(1) / weights.sum(1).clamp_min(1)


def _pixels(height: int, width: int, like: Tensor) -> Tensor:
    """(2, H, W): x and y of every pixel."""
    y, x = torch.meshgrid(
        *(torch.arange(side, device=like.device, dtype=torch.float32) for side in (height, width)),
        indexing="ij",
    )
    return torch.stack((x, y))


def _homogeneous(height: int, width: int, like: Tensor) -> Tensor:
    pixels = _pixels(height, width, like)
    return torch.cat((pixels, torch.ones_like(pixels[:1])))


def _identity(maps: Tensor) -> Tensor:
    return torch.eye(2, 3, device=maps.device)


def _from_segments(start: Tensor, end: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """start, end (B, N, 2) -> distance in px (B, N, H, W), and where along the segment the
    nearest point lies, in [0, 1]."""
    x, y = _pixels(height, width, start)
    (dx, dy), (x_0, y_0) = (end - start).unbind(-1), start.unbind(-1)
    square = (dx.square() + dy.square()).clamp_min(1e-3)
    # t is linear in x and y: three small tensors in place of two large products
    t = ((dx / square)[..., None, None] * x[:1]).addcmul((dy / square)[..., None, None], y[:, :1])
    t -= ((dx * x_0 + dy * y_0) / square)[..., None, None]
    t.clamp_(0, 1)
    away_x = torch.addcmul(x_0[..., None, None] - x, t, dx[..., None, None])
    away_y = torch.addcmul(y_0[..., None, None] - y, t, dy[..., None, None])
    return away_x.square_().addcmul_(away_y, away_y).sqrt_(), t  # hypot takes twice the time


def _from_hull(corners: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """corners (B, 4, 2) in any order -> distance in px from their convex hull (B, H, W), and who
    is inside (bool)."""
    pairs = [(i, j) for i in range(4) for j in range(i + 1, 4)]
    starts, ends = [i for i, _ in pairs], [j for _, j in pairs]
    away, _ = _from_segments(corners[:, starts], corners[:, ends], height, width)  # (B, 6, H, W)
    x, y = _pixels(height, width, corners)
    start, end = corners[:, starts], corners[:, ends]
    (dx, dy), (x_0, y_0) = (end - start).unbind(-1), start.unbind(-1)
    side = (
        dx[..., None, None] * (y - y_0[..., None, None])
        - dy[..., None, None] * (x - x_0[..., None, None])
        > 0
    )  # (B, 6, H, W)
    number = {pair: index for index, pair in enumerate(pairs)}
    inside = torch.zeros_like(side[:, 0])
    for i, j, k in (
        (0, 1, 2),
        (0, 1, 3),
        (0, 2, 3),
        (1, 2, 3),
    ):  # the hull of four points is the union of its triangles
        first, second, third = side[:, number[i, j]], side[:, number[j, k]], ~side[:, number[i, k]]
        inside = inside | ((first == second) & (second == third))
    return away.amin(1), inside


def _flow_of(maps: Tensor, part: Tensor) -> Tensor:
    """The flow (B, 2, H, W) of the maps (B, P, 2, 3) chosen by part (B, H, W)."""
    x, y = _pixels(part.shape[1], part.shape[2], maps)
    return torch.stack(mapped(maps - _identity(maps), part, x, y), 1)
