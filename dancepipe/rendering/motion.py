"""The driver's motion as the reference's body would make it: survey, smoothing, gaps,
retargeting, and where to render."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from dancepipe.errors import NoPersonError
from dancepipe.person.crop import person_box, pose_in_box, torso_length_px
from dancepipe.pose.retarget import BodyProportions, measure_proportions, retarget
from dancepipe.pose.smooth import PersonSmoother
from dancepipe.records import BodyPose, Frame, PersonFrame, Pose
from dancepipe.rendering.reference import Reference

SURVEY_FRAMES = 24


@dataclass(frozen=True)
class Survey:
    """What a sparse look over the whole driver tells before the first frame is rendered."""

    bodies: list[BodyPose]
    proportions: BodyProportions
    people_seen: int
    frames_looked_at: int
    frames_with_person: int

    @property
    def poses(self) -> list[Pose]:
        """Of each body the 18 joints."""
        return [body.joints for body in self.bodies]


def survey_driver(looked_at: Sequence[PersonFrame | None], driver: Path) -> Survey:
    """looked_at: whom a finder in photo mode found in frames spread over the driver. Raises
    NoPersonError when none of them shows a person."""
    people = [person for person in looked_at if person is not None]
    if not people:
        raise NoPersonError(
            f"no person found in {len(looked_at)} frames spread over {driver}; give a video that "
            "shows one person whole"
        )
    poses = [person.pose for person in people]
    if all(torso_length_px(pose) is None for pose in poses):
        raise NoPersonError(
            f"{driver} shows too little of the person (no torso, no thighs); give a video that "
            "shows one person whole"
        )
    return Survey(
        bodies=[person.body for person in people],
        proportions=measure_proportions(poses),
        people_seen=max(person.people_seen for person in people),
        frames_looked_at=len(looked_at),
        frames_with_person=len(people),
    )


@dataclass(frozen=True)
class Target:
    """One frame to be made."""

    frame: Frame
    mask: np.ndarray | None  # the driver's person, when the background needs it
    body: BodyPose  # in the canvas
    box_xyxy_px: tuple[float, float, float, float]  # where the canvas lies in the driver's frame
    is_held: bool  # no person in this frame: the last pose is held
    size_wh: tuple[int, int]  # of the frame whose pixels the box is in; the image may be larger

    @property
    def pose(self) -> Pose:
        """The 18 joints."""
        return self.body.joints


class MotionPlan:
    """Driver pose -> target pose and canvas. The canvas keeps the reference's scale, so that
    nothing is resized without need."""

    def __init__(
        self, survey: Survey, reference: Reference, size_px: int, *, with_retargeting: bool
    ):
        """Raises NoPersonError when the photo shows too little of a body to have a scale."""
        self._size_px = size_px
        self._bodies = (
            (survey.proportions, measure_proportions([reference.pose]))
            if with_retargeting
            else None
        )
        reference_torso = torso_length_px(reference.pose)
        if reference_torso is None:
            raise NoPersonError(
                "the photo shows too little of the person (no torso, no thighs); give a photo "
                "that shows one person whole"
            )
        torsos = [
            length
            for body in survey.bodies
            if (length := torso_length_px(self.target_body(body).joints)) is not None
        ]
        self._side_px = size_px * float(np.quantile(torsos, 0.8)) / reference_torso

    def target_body(self, body: BodyPose) -> BodyPose:
        """The driver's pose on the reference's body, in the driver's frame."""
        return retarget(body, *self._bodies) if self._bodies else body

    def place(self, body: BodyPose) -> tuple[BodyPose, tuple[float, float, float, float]]:
        """The target in the canvas, and the canvas (square box) in the driver's frame."""
        body = self.target_body(body)
        x0, y0, x1, y1 = person_box(body.joints)
        half = max(self._side_px, x1 - x0) / 2
        centre_x, centre_y = (x0 + x1) / 2, (y0 + y1) / 2
        box = (centre_x - half, centre_y - half, centre_x + half, centre_y + half)
        return pose_in_box(body, box, self._size_px), box


def targets(
    people: Iterable[tuple[Frame, PersonFrame | None]],
    plan: MotionPlan,
    survey: Survey,
    smooth_radius: int,
    size_wh: tuple[int, int],
    first: int = 0,
) -> Iterator[Target]:
    """One Target for each frame of the driver, in order, from that index on.

    size_wh: of the frames in whose pixels the people are. Poses are smoothed over +-smooth_radius
    frames (0: not at all); frames without a person hold the last pose (before the first person: the
    first pose that the survey saw).
    """
    smoother = PersonSmoother(smooth_radius)
    held = survey.bodies[0]

    def ready() -> Iterator[tuple[PersonFrame | None, Frame]]:
        for frame, person in people:
            yield from smoother.push(person, frame)
        yield from smoother.flush()

    for person, frame in ready():
        held = person.body if person else held
        if frame.index < first:
            continue
        body, box = plan.place(held)
        yield Target(frame, person.mask if person else None, body, box, person is None, size_wh)
