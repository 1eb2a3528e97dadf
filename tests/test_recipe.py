"""dataset.json holds a data set to its options; one that is damaged is named, not obeyed."""

import json
from dataclasses import replace

import pytest

from dancepipe.building.options import BuildDatasetOptions
from dancepipe.data.recipe import hold_to_recipe
from dancepipe.errors import ConfigError, DatasetError

OPTIONS = BuildDatasetOptions()


def test_the_same_options_are_taken_again_and_others_refused(tmp_path):
    hold_to_recipe(tmp_path, OPTIONS, apart_from=("device",))
    before = (tmp_path / "dataset.json").read_bytes()
    hold_to_recipe(tmp_path, replace(OPTIONS, device="cuda"), apart_from=("device",))
    with pytest.raises(ConfigError, match="other options: size_px was 256, now 64"):
        hold_to_recipe(tmp_path, replace(OPTIONS, size_px=64), apart_from=("device",))
    assert (tmp_path / "dataset.json").read_bytes() == before


def test_an_option_that_the_note_does_not_name_had_its_default(tmp_path):
    (tmp_path / "dataset.json").write_text('{"clean": {"steady": true}}')
    hold_to_recipe(tmp_path, OPTIONS, apart_from=())
    (tmp_path / "dataset.json").write_text('{"clean": {"steady": false}}')
    with pytest.raises(ConfigError, match="clean was"):
        hold_to_recipe(tmp_path, OPTIONS, apart_from=())


@pytest.mark.parametrize(
    "note, message",
    [
        ("null", "need a block of options, got None"),
        ("[1]", r"need a block of options, got \[1\]"),
        ('"' + "x" * 99_999 + '"', "got 'xxx"),
        ("{", "line 1 column 2"),
        ("[" * 99_999, "nested"),
        ('{"size_px": NaN}', "line 1: NaN"),
    ],
)
def test_a_damaged_note_is_named(tmp_path, note, message):
    (tmp_path / "dataset.json").write_text(note)
    with pytest.raises(DatasetError, match=f"cannot read .*dataset.json .*{message}") as caught:
        hold_to_recipe(tmp_path, OPTIONS, apart_from=())
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 400


def test_a_long_value_is_said_shortly(tmp_path):
    (tmp_path / "dataset.json").write_text(json.dumps({"pose": ["x" * 99_999] * 9}))
    with pytest.raises(ConfigError, match="pose was .'xxx") as caught:
        hold_to_recipe(tmp_path, OPTIONS, apart_from=())
    assert len(str(caught.value)) < 400
