"""scores.json comes back as written; what others made of it is refused with its place."""

import json

import pytest

from dancepipe.errors import ConfigError
from dancepipe.evaluation.scores import Scores, read_scores, scores_text
from dancepipe.evaluation.statistics import Estimate


@pytest.fixture
def path(tmp_path):
    methods = {
        "network": {"pre": Estimate(7.25, 7.0, 7.5, 9), "fid": Estimate(2.0, None, None, 9, "few")}
    }
    items = [{"identity": "ann", "methods": {}}]
    scores = Scores("pairs", {"people": 3}, methods, {"lpips": "none"}, {}, items, notes=["a note"])
    (tmp_path / "scores.json").write_text(scores_text(scores))
    return tmp_path / "scores.json"


def test_scores_come_back(path):
    record = read_scores(path)
    assert record["methods"]["network"]["pre"] == {
        "value": 7.25,
        "low": 7.0,
        "high": 7.5,
        "count": 9,
    }
    assert record["methods"]["network"]["fid"]["mark"] == "few" and record["notes"] == ["a note"]


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("format", "scores-0", "no scores file of this version"),
        ("form", "other", "form is 'other'"),
        ("form", None, "form is None"),
        ("protocol", [], r"protocol is \[\]"),
        ("methods", {"network": None}, "None in place of a block"),
        ("methods", {"network": {"pre": 7.0}}, "'pre' is 7.0"),
        (
            "methods",
            {"network": {"pre": {"value": "7", "low": None, "high": None, "count": 9}}},
            "'pre' is",
        ),
        (
            "methods",
            {"network": {"pre": {"value": 7, "low": 6, "high": None, "count": 9}}},
            "'pre' is",
        ),
        (
            "methods",
            {"network": {"pre": {"value": 7, "low": None, "high": None, "count": 9, "mark": 1}}},
            "'pre'",
        ),
        ("differences", {"copy": []}, r"\[\] in place of a block"),
        ("items", [None], "None in place of a block"),
        ("not_available", {"fid": 3}, "3 in place of a text"),
        ("notes", "note", "notes is 'note'"),
    ],
)
def test_a_record_of_another_shape_is_refused(path, name, value, message):
    record = json.loads(path.read_text())
    path.write_text(json.dumps(record | {name: value}))
    with pytest.raises(ConfigError, match=message) as caught:
        read_scores(path)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["null", "[]", "{", "[" * 9999, '{"format": NaN}', "\0"])
def test_what_is_no_record_is_refused(path, text):
    path.write_text(text)
    with pytest.raises(ConfigError, match="scores"):
        read_scores(path)
    with pytest.raises(ConfigError, match="cannot read scores /dev/zero"):
        read_scores("/dev/zero")
