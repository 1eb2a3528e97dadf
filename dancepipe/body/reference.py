"""The person of a photo as a body: fitted once, drawn in any pose."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from dancepipe.body.hair import find_hair_end, hair_triangles, is_seen_as_hair
from dancepipe.body.hem import find_hem
from dancepipe.body.image_filters import distance_transform_edt
from dancepipe.body.mesh import PART_MIRROR, PARTS, BodyMesh, Part, load_mesh
from dancepipe.body.outline import OutlineFitter, neighbours
from dancepipe.body.part_parser import PartLabels, parse_parts
from dancepipe.body.photo_colours import PhotoColours, photo_colours, sharpened
from dancepipe.body.posing import BonePose, Poser
from dancepipe.body.raster import draw_mesh, screen_normals, skin
from dancepipe.body.seen_normals import seen_normals
from dancepipe.body.shading import shade
from dancepipe.body.surface_colours import ColourFlow
from dancepipe.body.trust import is_arm, trusted
from dancepipe.body.views import lay_together, smoothed, together
from dancepipe.geometry import shrunk_landmarks
from dancepipe.records import GREY

FIT_SIDE_PX = 256  # of the photo that the body is fitted to; its colours are read at full size
SAMPLES = 2  # a side of a pixel
_SAME_IN_PHOTO, _SAME_HERE = 0.04, 0.05  # torso lengths of depth that make one surface
_CARVED = 0.047  # torso lengths from the outline, where the photo's own outline carves
_SKIRT_TOP_DM = 1.0
# How much colours count while they flow over the surface.
_SEEN, _OWN_PART, _FROM_MIRROR, _HAIR = 1.0, 0.2, 0.15, 3.0
_SURE = 0.6  # of a label
_SURE_GAP = 0.8  # that what the mask takes for the person is a gap between limbs
_BARE_SHOWN = 0.1  # of a face or a hand, at least, or it takes the colour of skin elsewhere


@dataclass(frozen=True)
class BodyReference:
    """A fitted person. V vertices; pictures are (h, w) of the photo, shrunk where it is larger
    than FIT_SIDE_PX."""

    pose: BonePose  # in the photo
    rest_dm: np.ndarray  # float32 (V, 3): with its girth and clothes
    triangles: np.ndarray  # int64 (T, 3): of the layers that are worn
    triangle_part: np.ndarray  # int64 (T,)
    points_px: np.ndarray  # float32 (V, 3): in the shrunk photo
    normal: np.ndarray  # float32 (V,): z of the normal there, > 0 faces the viewer
    colours: PhotoColours
    part: np.ndarray  # int64 (h, w), -1 for none
    depth: np.ndarray  # float32 (h, w)
    trust: np.ndarray  # float32 (h, w)
    places_px: np.ndarray  # float32 (V, 3): ColourFlow.places
    vertex_colour: np.ndarray  # float32 (V, 3)
    known_colour: np.ndarray  # float64 (V, 3): what it flowed from
    known_weight: np.ndarray  # float64 (V,)
    shown: np.ndarray  # float32 (V, 1 and one for each of the others): how well photos show it
    photo: np.ndarray  # float32 (H, W, 3) in [0, 255]: the person's colours at full size
    photo_mask: np.ndarray  # float32 (H, W, 1) in [0, 255]
    torso_px: float  # at full size
    others: tuple["BodyReference", ...] = ()  # other photos of the same person


@dataclass(frozen=True)
class BodyPicture:
    """A person drawn in a pose."""

    colour: np.ndarray  # float32 (H, W, 3) in [0, 255], where there is something
    alpha: np.ndarray  # float32 (H, W)
    source: np.ndarray  # float32 (H, W, 2): x, y in the photo
    read_share: np.ndarray  # float32 (H, W): how much of the colour the photo has at `source`
    kind: np.ndarray  # uint8 (H, W): 0 nothing, SEEN, MIRRORED, DIFFUSED
    box_xyxy_px: tuple[int, int, int, int]  # beyond it there is nothing
    normal: np.ndarray | None  # float32 (H, W, 3), y down, z to the viewer; None: not asked for

    def on_grey(self) -> np.ndarray:
        """uint8 RGB (H, W, 3)."""
        picture = np.full(self.colour.shape, GREY, np.uint8)
        there = self.there
        share = self.alpha[there][..., None]
        drawn = self.colour[there] * share + np.float32(GREY) * (1 - share)
        picture[there] = np.clip(drawn + np.float32(0.5), 0, 255)
        return picture

    def matte(self) -> np.ndarray:
        """uint8 (H, W)."""
        matte = np.zeros(self.alpha.shape, np.uint8)
        matte[self.there] = self.alpha[self.there] * 255 + np.float32(0.5)
        return matte

    @property
    def there(self) -> tuple[slice, slice]:
        """The box as an index. A person fills a small part of a large canvas."""
        x0, y0, x1, y1 = self.box_xyxy_px
        return np.s_[y0:y1, x0:x1]


class BodyDrawer:
    """Fits photos and draws them; everything that depends on the mesh alone is made once."""

    def __init__(self, mesh: BodyMesh):
        self.mesh = mesh
        self.poser = Poser(mesh)
        eyes = mesh.landmarks_dm[2]
        points = mesh.points_dm
        head = mesh.part == PARTS.index(Part.HEAD)
        self._eye_height, self._eye_front = eyes[1], eyes[2]
        self.is_face = (
            head
            & (points[:, 2] > eyes[2] - 1.0)
            & (points[:, 1] < eyes[1] + 0.55)
            & (np.abs(points[:, 0]) < 0.72)
        )
        self.is_scalp = head & ~self.is_face & (points[:, 1] > eyes[1] - 0.9)
        self._outline = OutlineFitter(mesh, self.is_face)
        self._edges = neighbours(mesh)
        self._flow = ColourFlow(mesh, self._edges, self.is_scalp)

    def fit(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        landmarks: np.ndarray,
        torso_px: float,
        hands: np.ndarray | None = None,
    ) -> BodyReference:
        """image uint8 RGB (H, W, 3) on grey, mask uint8 (H, W); landmarks, torso_px and hands as
        Poser.pose has them, in its pixels."""
        mesh = self.mesh
        full_image, full_mask, full_torso_px = image, mask, torso_px
        shrink = min(1.0, FIT_SIDE_PX / max(mask.shape))
        if shrink < 1:
            size_wh = tuple(max(1, round(side * shrink)) for side in mask.shape[::-1])
            image = cv2.resize(image, size_wh, interpolation=cv2.INTER_AREA)
            mask = cv2.resize(mask, size_wh, interpolation=cv2.INTER_AREA)
            landmarks = shrunk_landmarks(landmarks, 1 / shrink)
            hands = None if hands is None else shrunk_landmarks(hands, 1 / shrink)
            torso_px = torso_px * shrink
        labels = parse_parts(image, mask, landmarks)
        gap = labels.is_one_of("background") & (labels.sure > _SURE_GAP)
        mask = np.where(gap, 0, mask).astype(np.uint8)
        if shrink < 1:
            size_wh = full_mask.shape[::-1]
            gap = cv2.resize(gap.astype(np.float32), size_wh, interpolation=cv2.INTER_LINEAR)
        full_mask = full_mask * (1 - gap)
        pose = self.poser.pose(landmarks, torso_px, hands=hands)
        head = mesh.bone("head")
        inside_head = mesh.landmarks_dm[0] + [0, 0.3, -0.8]
        middle = pose.A[head] @ inside_head + pose.b[head]
        colours = photo_colours(image, mask, middle[:2] * [1, -1], torso_px)
        hem_dm = find_hem(mesh, landmarks, labels, mask, torso_px)
        triangles, triangle_part = self._worn(hem_dm, None)
        rest = self._outline.fit(pose, mask, triangles, triangle_part, is_arm(labels))
        hair_end_dm = find_hair_end(mesh, landmarks, labels, mask, torso_px)
        if hair_end_dm is not None:
            with_hair = self._worn(hem_dm, hair_end_dm)
            if is_seen_as_hair(self._shows(rest, pose, mask.shape, *with_hair, Part.HAIR), labels):
                triangles, triangle_part = with_hair
        points = np.empty_like(rest)
        skin(rest, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
        normals = screen_normals(points, triangles)
        depth, winner, _ = draw_mesh(points, triangles, mask.shape)
        part = np.where(winner >= 0, triangle_part[np.maximum(winner, 0)], -1)
        trust = trusted(part, depth, colours.sharp, mask, labels, landmarks, torso_px)
        normal = np.ascontiguousarray(normals[:, 2])
        known_colour, known_weight, seen = self._known(
            points, normal, depth, part, trust, mask, colours, labels, pose
        )
        vertex_colour = self._flow.spread(known_colour, known_weight)
        places = self._flow.places(points[:, :2], seen)
        shown = smoothed(seen * np.maximum(normal, 0), self._edges)
        photo = colours.sharp if shrink == 1 else sharpened(colours, full_image, full_mask)
        return BodyReference(
            pose, rest, triangles, triangle_part, points, normal, colours,
            part.astype(np.int64), depth, trust, places, vertex_colour, known_colour,
            known_weight, shown[:, None], photo,
            np.ascontiguousarray(full_mask[..., None], np.float32), float(full_torso_px),
        )  # fmt: skip

    def joined(self, first: BodyReference, others: Sequence[BodyReference]) -> BodyReference:
        """One person of several photos, in the body of the first."""
        return together(first, others, self._flow)

    def draw(
        self,
        reference: BodyReference,
        landmarks: np.ndarray,
        torso_px: float,
        size_hw: tuple[int, int],
        hands: np.ndarray | None = None,
        *,
        with_normals: bool = False,
    ) -> BodyPicture:
        """The person in the pose of the landmarks, in a picture of that size."""
        mesh = self.mesh
        pose = self.poser.pose(landmarks, torso_px, reference.pose.head_scale, hands)
        rest, triangles = reference.rest_dm, reference.triangles
        points = np.empty_like(rest)
        skin(rest, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
        normals = screen_normals(points, triangles)
        picture = BodyPicture(
            np.zeros((*size_hw, 3), np.float32), np.zeros(size_hw, np.float32),
            np.zeros((*size_hw, 2), np.float32), np.zeros(size_hw, np.float32),
            np.zeros(size_hw, np.uint8),
            _box(points, size_hw),
            np.zeros((*size_hw, 3), np.float32) if with_normals else None,
        )  # fmt: skip
        left, top, right, bottom = picture.box_xyxy_px
        if right <= left or bottom <= top:
            return picture
        points[:, :2] -= [left, top]
        depth, winner, weights = draw_mesh(points, triangles, (bottom - top, right - left), SAMPLES)
        there = picture.there
        if picture.normal is not None:
            seen_normals(winner, weights, depth, SAMPLES, triangles, normals, picture.normal[there])
        reach = max(2, round(_CARVED * torso_px))

        def shaded_by(photo: BodyReference, colour, alpha, source, read_share, kind) -> None:
            shade(
                winner, weights, depth, SAMPLES, triangles, reference.triangle_part, mesh.mirror,
                PART_MIRROR, photo.points_px, photo.places_px, photo.normal,
                np.ascontiguousarray(normals[:, 2]), reference.vertex_colour,
                photo.photo, photo.colours.deep, photo.photo_mask, photo.part,
                photo.depth, photo.trust,
                np.float32(photo.torso_px / photo.pose.torso_px),
                np.float32(_SAME_IN_PHOTO * photo.pose.torso_px),
                np.float32(_SAME_HERE * torso_px),
                reach, colour, alpha, source, read_share, kind,
            )  # fmt: skip

        filled = (picture.colour, picture.alpha, picture.source, picture.read_share, picture.kind)
        filled = [one[there] for one in filled]
        shaded_by(reference, *filled)
        if reference.others:
            colour, _, _, read_share, kind = filled
            views = [(colour.copy(), kind.copy())]
            for other in reference.others:
                by_other = [np.zeros_like(one) for one in filled]
                shaded_by(other, *by_other)
                views.append((by_other[0], by_other[-1]))
            colours, kinds = (np.stack(one) for one in zip(*views))
            lay_together(
                winner, weights, depth, SAMPLES, triangles, reference.shown, colours, kinds,
                colour, read_share, kind,
            )  # fmt: skip
        picture.alpha[there] = _without_slits(picture.alpha[there], winner, reach)
        return picture

    def _worn(
        self, hem_dm: float | None, hair_end_dm: float | None
    ) -> tuple[np.ndarray, np.ndarray]:
        """Triangles and their parts: of the body, of a skirt and of hair down to their ends."""
        mesh = self.mesh
        worn = np.zeros(len(mesh.triangles), bool)
        worn[mesh.layer_of_triangles("body")] = True
        if hem_dm is not None:
            skirt = mesh.layer_of_triangles("skirt")
            heights = mesh.points_dm[mesh.triangles[skirt]][:, :, 1]
            worn[skirt] = (heights.max(1) > hem_dm) & (heights.min(1) < _SKIRT_TOP_DM)
        if hair_end_dm is not None:
            worn |= hair_triangles(mesh, hair_end_dm)
        return mesh.triangles[worn], mesh.triangle_part[worn]

    def _shows(self, rest, pose, size_hw, triangles, triangle_part, part: Part) -> np.ndarray:
        """bool (H, W): where a part lies in front."""
        mesh, points = self.mesh, np.empty_like(rest)
        skin(rest, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
        _, winner, _ = draw_mesh(points, triangles, size_hw)
        return (winner >= 0) & (triangle_part[np.maximum(winner, 0)] == PARTS.index(part))

    def _known(
        self, points, normal, depth, part, trust, mask, colours, labels, pose
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colours (V, 3) that flow over the surface, how much each vertex's own counts (V,), and
        whether the photo shows it, bool (V,)."""
        mesh = self.mesh
        height, width = mask.shape
        x = np.clip(np.round(points[:, 0]).astype(int), 0, width - 1)
        y = np.clip(np.round(points[:, 1]).astype(int), 0, height - 1)
        torso = pose.torso_px
        clear = (trust[y, x] > 0.9) & (mask[y, x] > 200)
        seen = (depth[y, x] - points[:, 2] < 0.03 * torso) & (normal > 0.15) & clear
        # A vertex behind its own part may take the colour in front of it, but faces are no necks.
        own = (part[y, x] == mesh.part) & (mesh.part != PARTS.index(Part.HEAD)) & clear
        is_shell = mesh.part == PARTS.index(Part.HAIR)
        colour, weight = np.zeros((len(points), 3)), np.zeros(len(points))
        # Hair flows from hair, a face from a face.
        sure = labels.sure[y, x] > _SURE
        is_face_class = labels.is_one_of("face", "neck")[y, x]
        is_hair_class = labels.is_one_of("hair")[y, x]
        seen &= ~((self.is_scalp & sure | is_shell) & ~is_hair_class)
        own &= ~is_shell
        head = mesh.part == PARTS.index(Part.HEAD)
        seen &= ~(sure & head & ~self.is_scalp & ~is_face_class)
        known = seen | own
        colour[known] = colours.deep[y[known], x[known]]
        weight = np.where(seen, _SEEN, np.where(own, _OWN_PART, 0.0))
        mirrored = seen[mesh.mirror] & ~known
        colour[mirrored] = colour[mesh.mirror[mirrored]]
        weight[mirrored] = _FROM_MIRROR
        rest = mesh.points_dm
        top = self.is_scalp & (rest[:, 1] > self._eye_height + 0.8)
        low = self.is_scalp & ~top & (rest[:, 2] > self._eye_front - 1.0) & (normal > 0.15)
        weight[low] *= 0.05  # temples: skin as often as hair
        complexion = self._skin_colour(colours.raw, mask, labels)
        hands = [mesh.part == PARTS.index(part) for part in (Part.HAND_RIGHT, Part.HAND_LEFT)]
        for bare in (self.is_face, *hands):
            if complexion is not None and seen[bare].mean() < _BARE_SHOWN:
                colour[bare] = complexion
                weight[bare] = _SEEN
        hair = self._hair_colour(colours.raw, mask, labels, pose)
        if hair is not None:
            back = (self.is_scalp & (rest[:, 2] < self._eye_front - 1.1) | is_shell) & ~seen
            colour[back] = hair
            weight[back] = _HAIR
        return colour, weight, seen

    def _skin_colour(self, raw, mask, labels: PartLabels) -> np.ndarray | None:
        """For a face or a hand that the photo does not show."""
        for kind in ("face", "hand", "neck"):
            there = labels.is_one_of(kind) & (labels.sure > _SURE) & (mask > 200)
            if there.sum() > 8:
                return np.median(raw[there], 0)
        return None

    def _hair_colour(self, raw, mask, labels: PartLabels, pose) -> np.ndarray | None:
        """The median colour of what is hair; without any, of the top of the head."""
        is_hair = labels.is_one_of("hair") & (mask > 200) & (labels.sure > 0.5)
        if is_hair.sum() > 8:
            return np.median(raw[is_hair], 0)
        head = self.mesh.bone("head")
        torso = pose.torso_px
        crown = np.array([0, self._eye_height + 0.95, self._eye_front - 0.6])
        place = (pose.A[head] @ crown + pose.b[head])[:2] * [1, -1]
        up = pose.A[head][:2, 1] * [1, -1]
        up = up / max(np.linalg.norm(up), 1e-6)
        height, width = mask.shape
        y, x = np.mgrid[:height, :width]
        along = (x - place[0]) * up[0] + (y - place[1]) * up[1]
        aside = np.abs((x - place[0]) * up[1] - (y - place[1]) * up[0])
        zone = (
            (along > -0.05 * torso)
            & (along < 0.35 * torso)
            & (aside < 0.2 * torso)
            & (distance_transform_edt(mask > 200) > 1.2)
        )
        return np.median(raw[zone], 0) if zone.sum() > 3 else None


def _without_slits(alpha: np.ndarray, winner: np.ndarray, reach: int) -> np.ndarray:
    """The photo's outline carves rims, and where a limb has turned it lies inside the new outline:
    what is opaque on both sides of it within `reach` px is closed."""
    # Round, and of what is opaque alone: a square one closed half-open rims to grey blocks.
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    opaque = (alpha > 0.5).astype(np.uint8) * 255
    closed = cv2.GaussianBlur(cv2.morphologyEx(opaque, cv2.MORPH_CLOSE, kernel), (3, 3), 0)
    height, width = alpha.shape
    covered = (winner >= 0).reshape(height, SAMPLES, width, SAMPLES).mean((1, 3))
    return np.maximum(alpha, np.minimum(closed / np.float32(255), covered)).astype(np.float32)


def _box(points: np.ndarray, size_hw: tuple[int, int]) -> tuple[int, int, int, int]:
    """x0, y0, x1, y1 of the pixels that the points may touch, inside the picture."""
    (x0, y0), (x1, y1) = points[:, :2].min(0), points[:, :2].max(0)
    height, width = size_hw
    left, right = np.clip([np.floor(x0) - 1, np.ceil(x1) + 2], 0, width)
    top, bottom = np.clip([np.floor(y0) - 1, np.ceil(y1) + 2], 0, height)
    return int(left), int(top), int(right), int(bottom)


@lru_cache(maxsize=1)
def shared_drawer() -> BodyDrawer:
    """One drawer of the shipped mesh for the whole process; it keeps no state between calls."""
    return BodyDrawer(load_mesh())
