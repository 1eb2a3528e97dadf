"""A soft shadow under the feet."""

from fractions import Fraction

import numpy as np
import pytest
from figure import standing_pose

from dancepipe.pose.skeleton import L_ANKLE, L_KNEE, R_ANKLE
from dancepipe.records import BodyPose, Frame, Pose
from dancepipe.rendering.motion import Target
from dancepipe.rendering.picture import made_picture
from dancepipe.rendering.shadow import contact_shadow

SIZE, SIZE_WH = 256, (320, 300)
BOX = (30.0, 10.0, 286.0, 266.0)
POSE = standing_pose((128, 10), 220)


def target(pose: Pose) -> Target:
    frame = Frame(0, Fraction(0), np.zeros((SIZE_WH[1], SIZE_WH[0], 3), np.uint8))
    return Target(frame, None, BodyPose(pose), BOX, False, SIZE_WH)


def person(pose: Pose) -> np.ndarray:
    """Premultiplied, of one colour: down to below the ankles."""
    drawn = np.zeros((SIZE, SIZE, 4), np.float32)
    for ankle in (R_ANKLE, L_ANKLE):
        x, y = pose.points_px[ankle].astype(int)
        drawn[40 : y + 8, x - 8 : x + 9] = (200, 40, 40, 1)
    return drawn


def lifted(pose: Pose, by_px: float) -> Pose:
    points = pose.points_px.copy()
    points[[L_ANKLE, L_KNEE], 1] -= by_px
    return Pose(points, pose.confidence)


def made(pose: Pose, colour, *, with_shadow: bool) -> np.ndarray:
    behind = colour and (lambda _: np.full((SIZE_WH[1], SIZE_WH[0], 3), colour, np.uint8))
    return made_picture(target(pose), person(pose), behind, SIZE_WH, with_shadow=with_shadow)


def test_the_ground_is_darkest_under_the_feet_and_bright_where_nobody_stands():
    plain = made(POSE, (200, 200, 200), with_shadow=False).astype(int)
    shown = made(POSE, (200, 200, 200), with_shadow=True).astype(int)
    darker = (plain - shown).max(2)
    own = np.abs(plain - (200, 40, 40)).max(2) == 0
    assert darker[own].max() == 0  # it lies behind the person
    ground = int(10 + POSE.points_px[[R_ANKLE, L_ANKLE], 1].mean()) + 10
    assert darker[ground].max() > 40
    assert darker[: ground - 60].max() == 0 and darker[ground + 40 :].max() <= 1
    assert np.abs(np.diff(darker[ground])).max() < 40  # no edge but where feet stand before it
    assert darker[ground].argmax() == pytest.approx(30 + 128, abs=30)


def test_transparent_results_hold_it_as_partly_transparent_black():
    plain = made(POSE, None, with_shadow=False).astype(float)
    shown = made(POSE, None, with_shadow=True).astype(float)
    assert np.array_equal(shown[plain[..., 3] == 255], plain[plain[..., 3] == 255])
    beside = (plain[..., 3] == 0) & (shown[..., 3] > 40)
    assert beside.any() and shown[beside][:, :3].max() == 0
    for colour in ((255, 255, 255), (30, 90, 60)):
        off = []
        for picture, with_shadow in ((plain, False), (shown, True)):
            alpha = picture[..., 3:] / 255
            over = alpha * picture[..., :3] + (1 - alpha) * np.array(colour)
            off.append(np.abs(over - made(POSE, colour, with_shadow=with_shadow)))
        assert off[1].max() < off[0].max() + 3 and off[1].mean() < off[0].mean() + 0.1


def test_a_lifted_foot_throws_less():
    def dark(pose: Pose) -> tuple[float, float]:
        """On the side of the right foot, and on that of the left one."""
        (_, columns), share = contact_shadow(BodyPose(pose), person(pose), BOX, SIZE_WH)
        middle = round(30 + POSE.points_px[[R_ANKLE, L_ANKLE], 0].mean()) - columns.start
        halves = float(share[:, :middle].max()), float(share[:, middle:].max())
        return halves if POSE.points_px[R_ANKLE, 0] < POSE.points_px[L_ANKLE, 0] else halves[::-1]

    assert dark(POSE)[1] == pytest.approx(dark(POSE)[0], rel=0.1)
    right, left = dark(lifted(POSE, 50))
    assert left < 0.8 * right


def test_without_feet_there_is_none():
    confidence = POSE.confidence.copy()
    confidence[[R_ANKLE, L_ANKLE]] = 0
    body = BodyPose(Pose(POSE.points_px, confidence))
    assert contact_shadow(body, person(POSE), BOX, SIZE_WH) is None
    far = (5000.0, 5000.0, 5256.0, 5256.0)
    assert contact_shadow(BodyPose(POSE), person(POSE), far, SIZE_WH) is None
