"""The 18 joints of a rendered person, placed where detectors trained on photographs put them."""

from dataclasses import dataclass

import numpy as np

from dancepipe.pose import skeleton
from dancepipe.records import Pose
from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.figure import Figure
from dancepipe.synthetic.render import View

# A joint lies inside the body: it counts as seen when what covers it is no further in front than
# this.
LIMB_DEPTH_DM, _TRUNK_DEPTH_DM, FACE_DEPTH_DM = 1.3, 1.9, 0.7
SEEN, HIDDEN, OUTSIDE = 2, 1, 0
CONFIDENCE_OF = np.array([0.0, 0.5, 1.0], np.float32)  # OUTSIDE, HIDDEN, SEEN
_FACE_JOINTS = (skeleton.NOSE, skeleton.R_EYE, skeleton.L_EYE, skeleton.R_EAR, skeleton.L_EAR)
_TRUNK_JOINTS = (skeleton.NECK, skeleton.R_HIP, skeleton.L_HIP)
_TOLERANCE_DM = np.full(18, LIMB_DEPTH_DM)
_TOLERANCE_DM[list(_FACE_JOINTS)] = FACE_DEPTH_DM
_TOLERANCE_DM[list(_TRUNK_JOINTS)] = _TRUNK_DEPTH_DM


@dataclass(frozen=True)
class JointPlaces:
    """Body vertices of the face's five points and the bones of the others."""

    nose: int
    eyes: tuple[int, int]  # right, left
    ears: tuple[int, int]
    bones: dict[str, int]

    @property
    def vertices(self) -> np.ndarray:
        """The body vertices that must be kept for finding joints."""
        return np.array([self.nose, *self.eyes, *self.ears])


def find_joint_places(assets: DancerAssets, points_dm: np.ndarray) -> JointPlaces:
    """Find the face's points on a shaped body by its geometry."""
    body = assets.body
    left, right = (
        points_dm[body.left_eye_vertices].mean(0),
        points_dm[body.right_eye_vertices].mean(0),
    )
    middle = (left + right) / 2
    surface = np.zeros(len(points_dm), bool)
    surface[body.group_triangles("body").ravel()] = True
    head = np.flatnonzero(surface & (body.bone_share("head") > 0.5))
    points = points_dm[head]
    on_nose = (
        (np.abs(points[:, 0]) < 0.08)
        & (points[:, 1] > middle[1] - 0.7)
        & (points[:, 1] < middle[1] - 0.1)
    )
    at_ears = (np.abs(points[:, 1] - (middle[1] - 0.15)) < 0.3) & (points[:, 2] < middle[2] - 0.3)

    def extreme(chosen: np.ndarray, key: np.ndarray) -> int:
        return int(head[np.flatnonzero(chosen)[np.argmax(key[chosen])]])

    def nearest(target: np.ndarray) -> int:
        return int(head[np.argmin(((points - target) ** 2).sum(1))])

    before = np.array([0, 0, 0.15])
    return JointPlaces(
        nose=extreme(on_nose, points[:, 2]),
        eyes=(nearest(right + before), nearest(left + before)),
        ears=(extreme(at_ears, -points[:, 0]), extreme(at_ears, points[:, 0])),
        bones={name: index for index, name in enumerate(body.bones)},
    )


def joints_in_space(figure: Figure, places: JointPlaces, view: View) -> np.ndarray:
    """float64 (18, 3): the joints in decimetres."""
    heads = view.bones.heads_dm
    bone = places.bones
    joints = np.empty((18, 3))
    upward = view.bones.rotation[bone["spine01"]].astype(np.float64) @ np.array([0, 0.3, 0])
    hips_middle = (heads[bone["upperleg01.L"]] + heads[bone["upperleg01.R"]]) / 2
    sides = (
        (".R", skeleton.R_SHOULDER, skeleton.R_HIP),
        (".L", skeleton.L_SHOULDER, skeleton.L_HIP),
    )
    for suffix, shoulder, hip in sides:
        # Detectors put shoulders a little above, hips a little inside, elbows, knees and ankles a
        # little up the limb from the
        # anatomical joints; the amounts are what tools/check_dancers.py shows them to be off by.
        joints[shoulder] = heads[bone["upperarm01" + suffix]] + upward
        joints[shoulder + 1] = _moved(
            heads[bone["lowerarm01" + suffix]], heads[bone["upperarm01" + suffix]], 0.14
        )
        joints[shoulder + 2] = heads[bone["wrist" + suffix]]
        joints[hip] = heads[bone["upperleg01" + suffix]] * 0.82 + hips_middle * 0.18
        joints[hip + 1] = _moved(
            heads[bone["lowerleg01" + suffix]], heads[bone["upperleg01" + suffix]], 0.1
        )
        joints[hip + 2] = _moved(
            heads[bone["foot" + suffix]], heads[bone["lowerleg01" + suffix]], 0.28
        )
    joints[skeleton.NECK] = (joints[skeleton.R_SHOULDER] + joints[skeleton.L_SHOULDER]) / 2
    face = view.posed[figure.body_vertex[places.vertices]].astype(np.float64)
    joints[skeleton.NOSE], joints[skeleton.R_EYE], joints[skeleton.L_EYE] = (
        face[0],
        face[1],
        face[2],
    )
    joints[skeleton.R_EAR] = 0.72 * face[3] + 0.28 * face[4]
    joints[skeleton.L_EAR] = 0.72 * face[4] + 0.28 * face[3]
    return joints


def _moved(point: np.ndarray, towards: np.ndarray, distance_dm: float) -> np.ndarray:
    return point + (towards - point) * (distance_dm / np.linalg.norm(towards - point))


def find_joints(figure: Figure, places: JointPlaces, view: View) -> tuple[Pose, np.ndarray]:
    """(pose, visibility): pixel positions, and uint8 (18,): SEEN, HIDDEN behind something, or
    OUTSIDE the picture.

    The pose's confidence is 1 for seen joints, 0.5 for hidden and 0 for those outside.
    """
    joints = view.camera.project(joints_in_space(figure, places, view))
    visibility = what_is_seen(view, joints, _TOLERANCE_DM)
    confidence = CONFIDENCE_OF[visibility]
    return Pose(joints[:, :2].astype(np.float32), confidence), visibility


def what_is_seen(view: View, projected: np.ndarray, tolerance_dm: np.ndarray) -> np.ndarray:
    """uint8 (N,): SEEN, HIDDEN or OUTSIDE, of points (N, 3) as Camera.project has them.

    tolerance_dm (N,): how far behind the surface a point may lie that counts as seen.
    """
    visibility = np.zeros(len(projected), np.uint8)
    height, width = view.depth.shape
    for index, (x, y, depth) in enumerate(projected):
        column, row = int((x + 0.5) * view.samples), int((y + 0.5) * view.samples)
        if x < -0.5 or y < -0.5 or column >= width or row >= height:
            continue
        cover = view.depth[row, column]
        is_seen = cover > 0 and 1 / cover > depth - tolerance_dm[index]
        visibility[index] = SEEN if is_seen else HIDDEN
    return visibility
