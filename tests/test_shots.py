"""Shots: hard poses become movements, hands open and close, what sways follows a real past; all
inside one camera."""

import numpy as np
import pytest
from dancer_pack import dancer_pack  # noqa: F401

pytest.importorskip("numba")

from dancepipe.synthetic.assets import load_assets
from dancepipe.synthetic.person import draw_person
from dancepipe.synthetic.render import render_figure
from dancepipe.synthetic.shots import draw_shot

SHOTS, FRAMES, SIZE = 6, 9, 96


@pytest.fixture(scope="module")
def assets(dancer_pack):
    return load_assets(dancer_pack)


@pytest.fixture(scope="module")
def person(assets):
    return draw_person(assets, (5, 0))


@pytest.fixture(scope="module")
def hard_shots(assets, person):
    return [
        draw_shot(np.random.default_rng((7, number)), assets, person, FRAMES, SIZE, hard_share=1.0)
        for number in range(SHOTS)
    ]


def turned_degrees(first, second):
    """Per motion joint, between two postures."""
    cosine = np.abs((first.quaternions * second.quaternions).sum(1)).clip(0, 1)
    return np.degrees(2 * np.arccos(cosine))


def test_hard_poses_are_reached_by_moving_not_by_jumping(hard_shots):
    steps = np.array(
        [
            [turned_degrees(a.posture, b.posture).max() for a, b in zip(shot, shot[1:])]
            for shot in hard_shots
        ]
    )
    whole = np.array(
        [
            max(turned_degrees(shot[0].posture, scene.posture).max() for scene in shot)
            for shot in hard_shots
        ]
    )
    assert np.median(whole) > 90, "a shot goes through several hard poses"
    assert np.median(steps) < 0.75 * np.median(whole)
    assert all(scene.bones.drift.any() for shot in hard_shots for scene in shot[1:]), (
        "what hangs loosely lags behind a movement"
    )


def test_some_hard_shots_dance_on_with_their_legs(assets, person):
    """Rule-made legs of a shot come from few keys; danced ones differ in every frame from all
    rule-made ones in their hip's height."""
    shots = [
        draw_shot(np.random.default_rng((8, number)), assets, person, 4, SIZE, hard_share=1.0)
        for number in range(24)
    ]
    danced = [
        np.ptp([scene.posture.root_dm[1] for scene in shot]) > 0 or shot[0].posture.root_dm[0] != 0
        for shot in shots
    ]
    assert 2 <= sum(danced) <= 14


def test_hands_open_and_close_and_both_on_their_own(hard_shots):
    grips = np.array(
        [[scene.bones.grip for scene in shot] for shot in hard_shots]
    )  # (SHOTS, FRAMES, 2)
    assert np.ptp(grips, axis=1).min() > 0.1, "every hand of every shot changes"
    assert np.abs(grips[..., 0] - grips[..., 1]).mean() > 0.1
    assert np.abs(np.diff(grips, axis=1)).max() < 1.0, "no hand snaps"


def test_a_grip_moves_fingers_alone(person, hard_shots):
    from dataclasses import replace

    scene = hard_shots[0][0]
    bones = [replace(scene.bones, grip=np.array([grip, 0], np.float32)) for grip in (0.0, 0.6)]
    views = [render_figure(person.figure, one, scene.camera, scene.light) for one in bones]
    moved = np.flatnonzero(np.abs(views[1].posed - views[0].posed).max(1) > 1e-4)
    left, right = person.figure.hands
    assert 0 < len(moved) <= len(left.vertices) and np.isin(moved, left.vertices).all()
    assert not np.isin(left.vertices, right.vertices).any()


def test_around_some_shots_show_a_person_from_all_sides_inside_the_picture(assets, person):
    shots = [
        draw_shot(np.random.default_rng((9, number)), assets, person, 6, SIZE, around=True)
        for number in range(SHOTS)
    ]
    turned = [
        [
            np.degrees(np.arccos(np.clip(one.camera.axes[2] @ two.camera.axes[2], -1, 1)))
            for one, two in zip(shot, shot[1:])
        ]
        for shot in shots
    ]
    walked = [max(steps) > 60 for steps in turned]
    assert any(walked) and not all(walked)
    for shot in shots:
        for scene in shot:
            alpha = render_figure(person.figure, scene.bones, scene.camera, scene.light, 1).alpha
            y, x = np.nonzero(alpha > 127)
            assert max(np.ptp(x), np.ptp(y)) > SIZE / 3
            assert 0 < x.min() and x.max() < SIZE - 1 and 0 < y.min() and y.max() < SIZE - 1
