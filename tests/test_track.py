import numpy as np
import pytest

from dancepipe.person.look import Sighting
from dancepipe.person.track import PersonFollower, choose_person

SIZE = (640, 360)


def at(x, y=180, reach=80.0, score=0.9):
    return Sighting((x, y), reach, score)


def test_the_larger_and_the_more_central_person_is_chosen():
    assert choose_person([at(320, reach=50), at(320, reach=90)], SIZE) == 1
    assert choose_person([at(60), at(330), at(600)], SIZE) == 1
    assert (
        choose_person([at(10, reach=100), at(320, reach=60)], SIZE) == 1
    )  # half as large at the border
    assert choose_person([at(10, reach=160), at(320, reach=60)], SIZE) == 0


def follow(frames, follower=None):
    follower = follower or PersonFollower()
    chosen = []
    for sightings in frames:
        index = follower.pick(sightings, SIZE)
        if index is None:
            follower.miss()
            chosen.append(None)
        else:
            follower.accept(sightings[index])
            chosen.append(sightings[index])
    return chosen


def test_the_person_is_followed_through_a_change_of_order_and_past_a_larger_one():
    generator = np.random.default_rng(0)
    frames = []
    for t in range(60):
        mine, other = at(320 + 2 * t), at(500 - 4 * t, reach=80 + 0.3 * t, y=150)
        frames.append([mine, other] if generator.random() < 0.5 else [other, mine])
    chosen = follow(frames)
    assert [sighting.center_xy_px[0] for sighting in chosen] == [320 + 2 * t for t in range(60)]


def test_someone_else_is_not_taken_while_the_person_is_away_for_a_moment():
    frames = [[at(320)]] * 5 + [[at(560)]] * 10 + [[at(560), at(350)]]
    chosen = follow(frames)
    assert chosen[5:15] == [None] * 10
    assert chosen[15].center_xy_px[0] == 350


def test_after_long_waiting_whoever_is_there_is_followed():
    chosen = follow(
        [[at(100)]] + [[]] * 100 + [[at(560, reach=20)]], PersonFollower(patience_frames=60)
    )
    assert chosen[-1].center_xy_px[0] == 560


def test_a_sudden_other_size_or_place_cannot_be_the_same_person():
    follower = PersonFollower()
    assert follower.could_be(at(5))
    follower.accept(at(320))
    assert follower.could_be(at(350, reach=90))
    assert not follower.could_be(at(420))
    assert not follower.could_be(at(320, reach=20))


def test_nobody_to_choose_from_and_bad_sightings_are_refused():
    with pytest.raises(ValueError, match="nobody"):
        choose_person([], SIZE)
    with pytest.raises(ValueError, match="positive reach"):
        Sighting((0, 0), 0.0, 1)


def test_a_neighbour_is_not_taken_in_a_frame_in_which_the_person_is_not_seen():
    """They stand closer together than a person may step, so nearness alone would take the
    neighbour."""
    follower = PersonFollower()
    follower.accept(at(320))
    follower.note_others([at(350)])
    assert follower.pick([at(352)], SIZE) is None
    assert not follower.could_be(at(352))
    assert follower.pick([at(352), at(318)], SIZE) == 1


def test_a_neighbour_who_is_not_seen_any_more_is_forgotten():
    follower = PersonFollower()
    follower.accept(at(320))
    follower.note_others([at(350)])
    for _ in range(20):
        assert follower.pick([], SIZE) is None
        follower.miss()
    assert follower.pick([at(352)], SIZE) == 0


def test_somebody_seen_only_once_is_not_waited_for():
    chosen = follow([[at(100)]] + [[at(560, reach=20)]] * 8, PersonFollower(patience_frames=60))
    assert chosen[1:4] == [None] * 3
    assert [sighting.center_xy_px[0] for sighting in chosen[5:]] == [560] * 4
