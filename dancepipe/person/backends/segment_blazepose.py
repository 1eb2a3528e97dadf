"""The mask of the one person with a given pose, by BlazePose's body network: for poses that come
from elsewhere."""

import numpy as np

from dancepipe.person.backends.pose_blazepose import MAX_SIDE_PX
from dancepipe.person.blazepose.body_network import BodyNetwork
from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.models import BODY, read_model
from dancepipe.person.blazepose.region import Region
from dancepipe.person.regions import fit_within, full_mask, limit_to_person
from dancepipe.pose.skeleton import L_HIP, L_SHOULDER, NECK, R_HIP, R_SHOULDER, torso_length_px
from dancepipe.records import PersonFrame, Pose


class BlazePoseSegmenter:
    """segment(image, person) -> uint8 (H, W), 255 = person; all 0 when the network sees nobody at
    that place."""

    held_box = None  # each picture is taken for itself

    def __init__(self):
        """Fetches the network when it is nowhere: raises as models.read_model."""
        network = Network(BODY.name, read_model(BODY))
        self._bodies = BodyNetwork(network, mask=True, min_presence=0.2)

    def segment(self, image: np.ndarray, person: PersonFrame) -> np.ndarray:
        pose = person.pose
        size_wh = (image.shape[1], image.shape[0])
        small, scale = fit_within(image, MAX_SIDE_PX)
        small_pose = pose.scaled_and_shifted(scale, (scale / 2 - 0.5, scale / 2 - 0.5))
        region = _region_of(small_pose)
        body = None if region is None else self._bodies.read(small, region)
        if body is None:
            return np.zeros(image.shape[:2], np.uint8)
        assert body.mask is not None  # asked for above
        return limit_to_person(full_mask(body.mask, size_wh), pose)

    def close(self) -> None:
        self._bodies.close()


def _region_of(pose: Pose) -> Region | None:
    """The circle around the hips that holds the whole body, as the network expects it."""
    points, present = pose.points_px, pose.present
    unit = torso_length_px(pose)
    if unit is None:
        return None
    top = points[NECK] if present[NECK] else _mean(points, present, (R_SHOULDER, L_SHOULDER))
    hips = _mean(points, present, (R_HIP, L_HIP))
    if hips is None:
        if top is None:
            return None
        hips = top + np.array([0, unit], np.float32)
    up = np.array([0, -1], np.float32) if top is None else top - hips
    up = up / max(float(np.hypot(*up)), 1e-6)
    reach = max(float(np.hypot(*(points[present] - hips).T).max()), 1.8 * unit) * 1.05
    tip = hips + up * reach
    return Region((float(hips[0]), float(hips[1])), (float(tip[0]), float(tip[1])))


def _mean(points: np.ndarray, present: np.ndarray, joints: tuple[int, ...]) -> np.ndarray | None:
    seen = [joint for joint in joints if present[joint]]
    return points[seen].mean(0) if seen else None
