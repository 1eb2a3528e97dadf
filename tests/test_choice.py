"""Who is meant by largest, left, right, a number or a place."""

import pytest

from dancepipe.errors import ConfigError, NoPersonError
from dancepipe.person.choice import PersonChoice, parse_choice
from dancepipe.person.look import Sighting

SIZE_WH = (640, 360)
THREE = [Sighting((x, 180.0), reach, 0.9) for x, reach in ((60, 80.0), (330, 90.0), (600, 80.0))]


@pytest.mark.parametrize(
    ("text", "choice", "index"),
    [
        ("largest", PersonChoice(), 1),
        ("left", PersonChoice("left"), 0),
        ("Right@0", PersonChoice("right", seconds=0.0), 2),
        ("2", PersonChoice(number=2), 1),
        ("3@12.5", PersonChoice(number=3, seconds=12.5), 2),
        ("0.1,0.5", PersonChoice(place=(0.1, 0.5)), 0),
        (" .9 , .3 @ 1".replace(" @ ", "@"), PersonChoice(place=(0.9, 0.3), seconds=1.0), 2),
        ("0.5,0.95", PersonChoice(place=(0.5, 0.95)), 1),  # the feet are the person too
    ],
)
def test_who_is_meant(text, choice, index):
    assert parse_choice(text) == choice and choice.index_among(THREE, SIZE_WH) == index


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "none of largest, left, right"),
        ("middle", "none of largest, left, right"),
        ("-1", "none of"),
        ("2.5", "none of"),
        ("nan,0.5", "none of"),
        ("left@", "none of"),
        ("left@-1", "none of"),
        ("0", "counted from the left, from 1"),
        ("320,180", "shares of width and height"),
        ("1.01,0.5", "shares of width and height"),
        ("٢", "none of"),
    ],
)
def test_what_names_nobody_is_refused(text, words):
    with pytest.raises(ConfigError, match=words):
        parse_choice(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("4", "there is no person 4: 3 are seen; .* as in 4@2.5"),
        ("0.3,0.5", "nobody stands at 0.3,0.5; people are seen at 0.09,0.50; 0.52,0.50; 0.94,0.50"),
    ],
)
def test_who_is_not_there_is_said_with_who_is(text, words):
    with pytest.raises(NoPersonError, match=words):
        parse_choice(text).index_among(THREE, SIZE_WH)
