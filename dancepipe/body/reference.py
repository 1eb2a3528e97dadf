"""The person of a photo as a body: fitted once, drawn in any pose."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.ndimage import distance_transform_edt

from dancepipe.body.mesh import PART_MIRROR, PARTS, BodyMesh, Part, load_mesh
from dancepipe.body.outline import OutlineFitter, neighbours
from dancepipe.body.photo_colours import PhotoColours, photo_colours
from dancepipe.body.posing import BonePose, Poser
from dancepipe.body.raster import draw_mesh, screen_normals, skin
from dancepipe.body.seen_normals import seen_normals
from dancepipe.body.shading import shade
from dancepipe.body.surface_colours import ColourFlow
from dancepipe.body.trust import trusted
from dancepipe.records import GREY

SAMPLES = 2  # a side of a pixel
_SAME_IN_PHOTO, _SAME_HERE = 0.04, 0.05  # torso lengths of depth that make one surface
_CARVED = 0.047  # torso lengths from the outline, where the photo's own outline carves
# How much colours count while they flow over the surface.
_SEEN, _OWN_PART, _FROM_MIRROR, _HAIR = 1.0, 0.2, 0.15, 3.0


@dataclass(frozen=True)
class BodyReference:
    """A fitted person. V vertices; pictures are (H, W) of the photo."""

    pose: BonePose  # in the photo
    rest_dm: np.ndarray  # float32 (V, 3): with its girth and clothes
    points_px: np.ndarray  # float32 (V, 3): in the photo
    normal: np.ndarray  # float32 (V,): z of the normal there, > 0 faces the viewer
    colours: PhotoColours
    mask: np.ndarray  # float32 (H, W, 1)
    part: np.ndarray  # int64 (H, W), -1 for none
    depth: np.ndarray  # float32 (H, W)
    trust: np.ndarray  # float32 (H, W)
    vertex_colour: np.ndarray  # float32 (V, 3)


@dataclass(frozen=True)
class BodyPicture:
    """A person drawn in a pose."""

    colour: np.ndarray  # float32 (H, W, 3) in [0, 255], where there is something
    alpha: np.ndarray  # float32 (H, W)
    source: np.ndarray  # float32 (H, W, 2): x, y in the photo
    kind: np.ndarray  # uint8 (H, W): 0 nothing, SEEN, MIRRORED, DIFFUSED
    normal: np.ndarray | None  # float32 (H, W, 3), y down, z to the viewer; None: not asked for

    def on_grey(self) -> np.ndarray:
        """uint8 RGB (H, W, 3)."""
        share = self.alpha[..., None]
        return np.clip(self.colour * share + GREY * (1 - share) + 0.5, 0, 255).astype(np.uint8)


class BodyDrawer:
    """Fits photos and draws them; everything that depends on the mesh alone is made once."""

    def __init__(self, mesh: BodyMesh):
        self.mesh = mesh
        self.poser = Poser(mesh)
        body = mesh.layer_of_triangles("body")
        self._triangles = np.ascontiguousarray(mesh.triangles[body])
        self._triangle_part = np.ascontiguousarray(mesh.triangle_part[body])
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
        self._flow = ColourFlow(mesh, neighbours(mesh), self.is_scalp)

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
        pose = self.poser.pose(landmarks, torso_px, hands=hands)
        head = mesh.bone("head")
        inside_head = mesh.landmarks_dm[0] + [0, 0.3, -0.8]
        middle = pose.A[head] @ inside_head + pose.b[head]
        colours = photo_colours(image, mask, middle[:2] * [1, -1], torso_px)
        triangles, triangle_part = self._triangles, self._triangle_part
        rest = self._outline.fit(pose, mask, triangles, triangle_part)
        points = np.empty_like(rest)
        skin(rest, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
        normals = screen_normals(points, triangles)
        depth, winner, _ = draw_mesh(points, triangles, mask.shape)
        part = np.where(winner >= 0, triangle_part[np.maximum(winner, 0)], -1)
        trust, shadow = trusted(part, depth, colours.sharp, mask, torso_px)
        normal = np.ascontiguousarray(normals[:, 2])
        vertex_colour = self._surface(
            points, normal, depth, part, trust, shadow, mask, colours, pose
        )
        return BodyReference(
            pose, rest, points, normal, colours,
            np.ascontiguousarray(mask[..., None], np.float32), part.astype(np.int64), depth, trust,
            vertex_colour,
        )  # fmt: skip

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
        rest, triangles = reference.rest_dm, self._triangles
        points = np.empty_like(rest)
        skin(rest, mesh.skin_bone, mesh.skin_weight, pose.A, pose.b, points)
        normals = screen_normals(points, triangles)
        depth, winner, weights = draw_mesh(points, triangles, size_hw, SAMPLES)
        picture = BodyPicture(
            np.zeros((*size_hw, 3), np.float32), np.zeros(size_hw, np.float32),
            np.zeros((*size_hw, 2), np.float32), np.zeros(size_hw, np.uint8),
            np.zeros((*size_hw, 3), np.float32) if with_normals else None,
        )  # fmt: skip
        if picture.normal is not None:
            seen_normals(winner, weights, depth, SAMPLES, triangles, normals, picture.normal)
        shade(
            winner, weights, depth, SAMPLES, triangles, self._triangle_part, mesh.mirror,
            PART_MIRROR, reference.points_px, reference.normal,
            np.ascontiguousarray(normals[:, 2]), reference.vertex_colour,
            reference.colours.sharp, reference.colours.deep, reference.mask, reference.part,
            reference.depth, reference.trust,
            np.float32(_SAME_IN_PHOTO * reference.pose.torso_px),
            np.float32(_SAME_HERE * torso_px),
            max(2, round(_CARVED * torso_px)),
            picture.colour, picture.alpha, picture.source, picture.kind,
        )  # fmt: skip
        return picture

    def _surface(
        self, points, normal, depth, part, trust, shadow, mask, colours, pose
    ) -> np.ndarray:
        """A colour for every vertex; parts that the photo never showed take what flows to them."""
        mesh = self.mesh
        height, width = mask.shape
        x = np.clip(np.round(points[:, 0]).astype(int), 0, width - 1)
        y = np.clip(np.round(points[:, 1]).astype(int), 0, height - 1)
        torso = pose.torso_px
        clear = (trust[y, x] > 0.9) & (mask[y, x] > 200) & ~shadow[y, x]
        seen = (depth[y, x] - points[:, 2] < 0.03 * torso) & (normal > 0.15) & clear
        # A vertex behind its own part may take the colour in front of it, but faces are no necks.
        own = (part[y, x] == mesh.part) & (mesh.part != PARTS.index(Part.HEAD)) & clear
        colour, weight = np.zeros((len(points), 3)), np.zeros(len(points))
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
        hair = self._hair_colour(colours.raw, mask, pose)
        if hair is not None:
            back = self.is_scalp & (rest[:, 2] < self._eye_front - 1.1) & ~seen
            colour[back] = hair
            weight[back] = _HAIR
        return self._flow.spread(colour, weight)

    def _hair_colour(self, raw, mask, pose) -> np.ndarray | None:
        """The median colour of the top of the head: never the face's."""
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


@lru_cache(maxsize=1)
def shared_drawer() -> BodyDrawer:
    """One drawer of the shipped mesh for the whole process; it keeps no state between calls."""
    return BodyDrawer(load_mesh())
