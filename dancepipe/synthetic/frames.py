"""Rendered frames with their truth, identity by identity: what the data set and the stream are
made of."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from dancepipe.person.cutout import on_grey
from dancepipe.records import BodyPose, PersonFrame, Pose
from dancepipe.synthetic.assets import DancerAssets
from dancepipe.synthetic.degrade import (
    Degradation,
    compress_video,
    degrade_body,
    degrade_mask,
    degrade_picture,
    draw_degradation,
)
from dancepipe.synthetic.detected import find_person
from dancepipe.synthetic.landmarks import find_body
from dancepipe.synthetic.motion import blend_postures
from dancepipe.synthetic.person import Person, draw_person
from dancepipe.synthetic.posture import pose_bones
from dancepipe.synthetic.render import View, render_figure
from dancepipe.synthetic.room import draw_room
from dancepipe.synthetic.shots import HARD_SHARE, Scene, draw_shot

FRAMES_A_SHOT = 12


@dataclass(frozen=True)
class DancerFrame:
    """One picture of one rendered person with exact truth."""

    identity: str
    shot: int
    frame_index: int
    time_seconds: float
    image: np.ndarray  # uint8 RGB (S, S, 3), the person on neutral grey
    mask: (
        np.ndarray
    )  # uint8 (S, S), 255 = person; with degradations ragged, or as the person finder has it
    # confidence 1 seen, 0.5 hidden, 0 outside; with degradations, as a detector might report it, or
    # does
    body: BodyPose
    detected: bool  # mask and body are the person finder's, which looks for no hands
    true_body: BodyPose  # always exact, with landmarks and hands
    visibility: np.ndarray  # uint8 (18,): joints.SEEN, HIDDEN, OUTSIDE
    scene: Scene
    view: View

    @property
    def pose(self) -> Pose:
        """The 18 joints of body."""
        return self.body.joints

    @property
    def true_pose(self) -> Pose:
        """The 18 joints of true_body."""
        return self.true_body.joints


@dataclass(frozen=True)
class FrameOptions:
    """How frames are made."""

    size_px: int = 256
    samples: int = 2  # samples x samples per pixel
    hard_share: float = HARD_SHARE  # of shots with hard poses; 1: the hard subset for evaluation
    around: bool = False  # half of the shots from another side in each picture
    degraded: bool = (
        False  # camera noise, blur, compression, ragged masks, joints as detectors find them
    )
    # of pictures whose mask and joints come from the person finder, where that finds a person
    detected_share: float = 0.0

    @classmethod
    def by_recipe(
        cls,
        size_px: int,
        samples: int,
        *,
        hard: bool,
        around: bool,
        degraded: bool,
        detected_share: float,
    ) -> "FrameOptions":
        """As the options of `dancers` have them; hard: only hard poses."""
        hard_share = 1.0 if hard else HARD_SHARE
        return cls(size_px, samples, hard_share, around, degraded, detected_share)


def identity_name(seed: int, number: int) -> str:
    """The identity's name in data sets."""
    return f"dancer-{seed}-{number:06d}"


def dancer_frames(
    assets: DancerAssets, seed: int, number: int, frames: int, options: FrameOptions
) -> Iterator[DancerFrame]:
    """Frames of identity `number` of the set `seed`; a pure function of its arguments, so any
    worker may make it."""
    person = draw_person(assets, (seed, number))
    yield from frames_of_person(assets, person, seed, number, frames, options)


def frames_of_person(
    assets: DancerAssets,
    person: Person,
    seed: int,
    number: int,
    frames: int,
    options: FrameOptions,
    find: Callable[[np.ndarray], PersonFrame | None] = find_person,
) -> Iterator[DancerFrame]:
    """The frames of an identity whose person has been drawn. find: gives the labels of
    options.detected_share of the pictures."""
    made = 0
    shot = 0
    while made < frames:
        rng = np.random.default_rng((seed, number, 100 + shot))
        scenes = draw_shot(
            rng,
            assets,
            person,
            min(FRAMES_A_SHOT, frames - made),
            options.size_px,
            options.hard_share,
            around=options.around,
        )
        damage = draw_degradation(rng, options.size_px) if options.degraded else Degradation()
        room = rng.uniform(40, 230, 3)
        # Of their own: movements and pictures stay what they are without them.
        detecting = np.random.default_rng((seed, number, shot, 5))
        depths = np.random.default_rng((seed, number, shot, 6))
        if options.detected_share > 0:
            room = draw_room(detecting, options.size_px)
        views = [
            render_figure(person.figure, scene.bones, scene.camera, scene.light, options.samples)
            for scene in scenes
        ]
        pictures = (
            _recorded(rng, person, scenes, views, damage, room)
            if options.degraded
            else [(view.image, view.alpha) for view in views]
        )
        for scene, view, (recorded, mask) in zip(scenes, views, pictures, strict=True):
            body, visibility = find_body(
                person.figure, person.joint_places, person.landmark_places, view
            )
            reported = (
                degrade_body(rng, depths, body, options.size_px) if options.degraded else body
            )
            looked_at = recorded if options.degraded else view.over(room)
            found = find(looked_at) if detecting.random() < options.detected_share else None
            if found is not None:
                assert found.mask is not None  # find looks for masks too
                recorded, mask, reported = looked_at, found.mask, found.body
            image = on_grey(recorded, mask)
            yield DancerFrame(
                identity_name(seed, number),
                shot,
                made,
                shot * 100.0 + scene.time_seconds,
                image,
                mask,
                reported,
                found is not None,
                body,
                visibility,
                scene,
                view,
            )
            made += 1
        shot += 1


def _recorded(
    rng: np.random.Generator,
    person: Person,
    scenes: list[Scene],
    views: list[View],
    damage: Degradation,
    room: np.ndarray,
) -> list[tuple[np.ndarray, np.ndarray]]:
    """A shot as recorded and cut out: (picture, mask); fringes of the room's colour stay where
    the mask strays."""
    pictures = []
    for index, view in enumerate(views):
        exposed = view.over(room)
        if damage.shutter_seconds > 0:
            exposed = _motion_blurred(
                person, scenes, index, exposed, damage.shutter_seconds, view.samples, room
            )
        pictures.append(degrade_picture(rng, exposed, damage))
    if damage.video_crf is not None:
        pictures = compress_video(pictures, damage.video_crf)
    return [
        (picture, degrade_mask(rng, view.alpha, damage)) for picture, view in zip(pictures, views)
    ]


def _motion_blurred(
    person: Person,
    scenes: list[Scene],
    index: int,
    exposed: np.ndarray,
    shutter_seconds: float,
    samples: int,
    room: np.ndarray,
) -> np.ndarray:
    """The mean of the frame and of two more, half a shutter time before and after."""
    scene = scenes[index]
    other = scenes[index + 1] if index + 1 < len(scenes) else scenes[index - 1]
    if other is scene or other.time_seconds == scene.time_seconds:
        return exposed
    total = exposed.astype(np.float32)
    for offset in (-0.5, 0.5):
        share = offset * shutter_seconds / abs(other.time_seconds - scene.time_seconds)
        blended = pose_bones(person.rig, blend_postures(scene.posture, other.posture, share))
        total += render_figure(person.figure, blended, scene.camera, scene.light, samples).over(
            room
        )
    return (total / 3 + 0.5).astype(np.uint8)
