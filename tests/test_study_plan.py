"""What each volunteer sees is balanced, drawn from seed and name alone, and shows no real
picture twice where it can."""

from collections import Counter

import pytest

from dancepipe.study.plan import Trial, choose_pool, count_trials, plan_trials, shuffled

NAMES = [f"p{index:03d}" for index in range(200)]
METHODS = ("a", "b", "c")


def draw_plan(available=200, pictures=20, checks=5, seed=0, volunteer="ann", methods=METHODS):
    pool = choose_pool(NAMES[:available], len(methods), pictures, checks, seed)
    return plan_trials(pool, methods, pictures, checks, seed, volunteer)


def test_every_method_gets_its_pictures_and_half_its_sides():
    trials = draw_plan(pictures=20)
    for method in METHODS:
        own = [trial for trial in trials if trial.method == method]
        assert len({trial.picture for trial in own}) == len(own) == 20
        assert Counter(trial.real_side for trial in own) == {"left": 10, "right": 10}
    checks = [trial for trial in trials if trial.method is None]
    assert len(checks) == 5 and len(trials) == 65
    assert abs(sum(1 if check.real_side == "left" else -1 for check in checks)) == 1


@pytest.mark.parametrize("available, pictures", [(200, 20), (70, 20), (7, 20), (3, 1), (20, 10)])
@pytest.mark.parametrize("checks", [0, 5])
def test_trials_are_counted_without_being_drawn(available, pictures, checks):
    pool = choose_pool(NAMES[:available], len(METHODS), pictures, checks, 0)
    drawn = draw_plan(available, pictures, checks)
    assert count_trials(pool, len(METHODS), pictures, checks) == len(drawn)
    assert len(pool) <= len(drawn), "nobody sees fewer pairs than there are pictures"


@pytest.mark.parametrize("volunteer", ["ann", "bob", "cay"])
def test_odd_counts_stay_balanced_over_all(volunteer):
    trials = [trial for trial in draw_plan(pictures=7, volunteer=volunteer) if trial.method]
    assert len(trials) == 21
    assert abs(sum(1 if trial.real_side == "left" else -1 for trial in trials)) == 1


def test_each_round_shows_every_method_once_in_changing_order():
    pairs = [trial.method for trial in draw_plan() if trial.method]
    rounds = [tuple(pairs[index : index + 3]) for index in range(0, 60, 3)]
    assert all(set(round) == set(METHODS) for round in rounds)
    assert len(set(rounds)) > 3


def test_no_real_picture_comes_twice_where_there_are_enough():
    trials = draw_plan(available=65)
    assert len({trial.picture for trial in trials}) == 65


def test_with_few_pictures_repeats_are_far_apart():
    trials = [trial for trial in draw_plan(available=20, checks=0) if trial.method]
    assert len(trials) == 60
    places: dict[str, list[int]] = {}
    for place, trial in enumerate(trials):
        places.setdefault(trial.picture, []).append(place)
    assert all(len(found) == 3 for found in places.values())
    gaps = [after - before for found in places.values() for before, after in zip(found, found[1:])]
    assert min(gaps) >= 3 * 6 - 2  # 20 pictures in 60 trials: 20 would be perfect


def test_fewer_pictures_than_asked_are_all_shown():
    trials = draw_plan(available=6, pictures=20)
    for method in METHODS:
        assert sorted(trial.picture for trial in trials if trial.method == method) == NAMES[:6]
    assert (
        len(draw_plan(available=1, pictures=20, checks=3)) == 6
    )  # one pair of each method, three checks


def test_checks_are_spread_over_the_whole():
    trials = draw_plan(pictures=100, checks=10, methods=("a",))
    places = [place for place, trial in enumerate(trials) if trial.method is None]
    for index, place in enumerate(places):
        assert index * 11 <= place <= index * 11 + 10
    assert len({place - index * 11 for index, place in enumerate(places)}) > 3
    assert all(trial.method for trial in draw_plan(checks=0))
    assert (
        len(
            [
                1
                for trial in draw_plan(available=1, pictures=1, checks=9, methods=("a",))
                if trial.method is None
            ]
        )
        == 9
    )


def test_plans_depend_on_seed_and_name_and_nothing_else():
    assert draw_plan() == draw_plan()
    assert draw_plan(volunteer="bob") != draw_plan()
    assert draw_plan(seed=1) != draw_plan()
    assert choose_pool(NAMES, 1, 20, 0, 0) != choose_pool(NAMES, 1, 20, 0, 1)
    assert choose_pool(list(reversed(NAMES)), 1, 20, 0, 0) == choose_pool(NAMES, 1, 20, 0, 0)


def test_the_order_is_that_of_sha256():
    """A promise to studies under way: for i in 0..7: printf '0\\0pool\\0%d' $i | sha256sum;
    sorted."""
    assert shuffled(range(8), 0, "pool") == [2, 7, 0, 5, 4, 3, 6, 1]


def test_sides_say_nothing_about_the_next_one():
    """Over many volunteers, the side of a trial is left in half of the cases, whatever the side
    before was."""
    same = total = 0
    for number in range(60):
        sides = [trial.real_side for trial in draw_plan(volunteer=f"v{number}") if trial.method]
        same += sum(before == after for before, after in zip(sides, sides[1:]))
        total += len(sides) - 1
    assert abs(same / total - 0.5) < 0.03


def test_a_trial_knows_its_sides():
    with pytest.raises(ValueError, match="left or right, got 'up'"):
        Trial("a", "p", "up")
