"""Options come from YAML and flags; whatever does not fit stops the run and says what would."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from dancepipe.building.options import BuildDatasetOptions
from dancepipe.cli import parsed_options
from dancepipe.cli.command_line import parsed_arguments
from dancepipe.config import merged, option, options_from, read_yaml
from dancepipe.errors import ConfigError
from dancepipe.rendering.options import AnimateOptions
from dancepipe.training.options import TrainOptions

CONFIGS = sorted((Path(__file__).parent.parent / "configs").rglob("*.yaml"))


@dataclass(frozen=True)
class Inner:
    gain: float = option(1.0, "gain", minimum=0)


@dataclass(frozen=True)
class Options:
    steps: int = option(10, "steps", minimum=1)
    rate: float = option(0.1, "rate")
    kind: str = option("a", "kind", choices=("a", "b"))
    file: str | None = option(None, "file")
    flip: bool = option(True, "flip")
    inner: Inner = option(Inner(), "inner")


def test_values_replace_defaults_and_nothing_else():
    options = options_from(Options, {"rate": 2, "inner": {"gain": 3.5}, "file": None}, "x.yaml")
    assert options == Options(rate=2.0, inner=Inner(3.5))
    assert isinstance(options.rate, float)


def test_numbers_in_the_notation_that_yaml_reads_as_text():
    assert options_from(Options, {"rate": "1e-4"}, "x.yaml").rate == 1e-4


@pytest.mark.parametrize(
    "values, message",
    [
        ({"step": 5}, "x.yaml: unknown option 'step'; did you mean 'steps'"),
        ({"zzz": 5}, "unknown option 'zzz'; known are: file, flip"),
        ({"steps": "many"}, "option 'steps' needs a whole number, got 'many'"),
        ({"steps": 2.5}, "needs a whole number, got 2.5"),
        ({"steps": True}, "needs a whole number, got True"),
        ({"steps": 0}, "must be at least 1, got 0"),
        ({"rate": "fast"}, "needs a number, got 'fast'"),
        ({"flip": "yes please"}, "needs true or false"),
        ({"kind": "c"}, "must be one of a, b, got 'c'"),
        ({"steps": None}, "needs a whole number, got None"),
        ({"inner": 4}, "option 'inner' needs a block of keys, got 4"),
        ({"inner": {"gian": 1}}, "option 'inner': unknown option 'gian'; did you mean 'gain'"),
        ({"inner": {"gain": -1.0}}, "must be at least 0"),
        ({"inner": {"gain": float("nan")}}, "must be at least 0"),
        ({"rate": 10**400}, "needs a finite number, got a whole number of 401 digits"),
        ({"rate": "1e400"}, "needs a finite number, got inf"),
        ({"rate": "x" * 99_999}, "needs a number, got 'xxx"),
        ({"steps": 2**63}, "needs a number of at most 64 bits"),
        ({"steps": "x" * 99_999}, "needs a whole number, got 'xxx"),
        ({"x" * 99_999: 1}, "unknown option 'xxx"),
        ({"a\nb": 1}, r"unknown option 'a.nb'"),
        ({10**5000: 1}, "unknown option 'a whole number of 5001 digits'"),
    ],
)
def test_what_does_not_fit_is_named(values, message):
    with pytest.raises(ConfigError, match=message.replace("(", r"\(")) as caught:
        options_from(Options, values, "x.yaml")
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 300


def test_merged_goes_into_blocks_and_leaves_its_inputs_alone():
    base = {"a": 1, "block": {"x": 1, "y": 2}}
    assert merged(base, {"block": {"y": 3}, "b": 4}) == {"a": 1, "b": 4, "block": {"x": 1, "y": 3}}
    assert base == {"a": 1, "block": {"x": 1, "y": 2}}


@pytest.mark.parametrize(
    "text, message",
    [
        ("a: [1", "cannot read .*line 1: expected"),
        ("- 1\n- 2", "must hold 'option: value' lines"),
        (b"\xff\xfe\x00", "line 1 is no UTF-8 text"),
        (b"a: 1\nb: \0", "line 2 holds a zero byte"),
        ("a: 1\nb: \x07", "line 2: the character 0x7"),
        ("a: &one [1]\nb: *one", "line 2: aliases .* are not taken"),
        ("a:\n  <<: {b: 1}", "line 2: merge keys"),
        ("a: 1\nb: !!python/name:os.system", "line 2: the tag .*os.system' is not taken"),
        ("a: !!binary aGk=", "line 1: the tag"),
        ("a: !own 1", "line 1: the tag '!own'"),
        ("a: !!int x", "line 1: 'x' is no whole number"),
        ("a: !!bool x", "line 1: 'x' is no switch"),
        ("a: 1\nb: 2\na: 3", "line 3: 'a' stands there twice"),
        ("a: {b: 1, b: 2}", "line 1: 'b' stands there twice"),
        ("1: a", "line 1: an option's name must be text, got 1"),
        ("? [a]\n: 1", "an option's name must be text"),
        ("a: 0x" + "f" * 20_000, "line 1: a number of 20002 digits"),
        ("a: 1" + "0" * 400, "line 1: a number of 401 digits"),
        ("a: 1" + ":59" * 400, "line 1: a number of 1201 digits"),
        ('a: "\\ud800"', "line 1: '.ud800' is no text"),
        ('a: "\\0"', "line 1: '.x00' is no text"),
        ('\na: "\\UFFFFFFFF"', "line 2: a number is out of its range"),
        ("[" * 100_000, "line 1: it is nested more than 16 levels"),
        ("- " * 60_000, "line 1: it is nested more than 16 levels"),
        ("a: 1\n---\nb: 2", "another document"),
        ("#" * 131_073, "larger than 131072 bytes"),
    ],
)
def test_broken_files(tmp_path, text, message):
    path = tmp_path / "broken.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ConfigError, match=message) as caught:
        read_yaml(path)
    assert "\n" not in str(caught.value) and str(path) in str(caught.value)


def test_aliases_of_aliases_cost_nothing(tmp_path):
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    (tmp_path / "many.yaml").write_text("\n".join(lines))
    with pytest.raises(ConfigError, match="line 2: aliases"):
        read_yaml(tmp_path / "many.yaml")


def test_what_is_no_plain_file_is_refused():
    with pytest.raises(ConfigError, match="cannot read configuration /dev/zero: .*no plain file"):
        read_yaml("/dev/zero")


def test_plain_values_are_read_as_ever(tmp_path):
    path = tmp_path / "plain.yaml"
    path.write_text(
        "\ufeffa: 1e-4\nb: 1.5e-4\nc: 0x1f\nd: yes\ne: ~\nf: 2020-13-45\ng: 2020-01-02\n"
        "h: 'it''s'\ni: |\n  two\n  lines\nj: {k: [1, -2.5, off]}\nl:\n", encoding="utf-8"
    )  # fmt: skip
    assert read_yaml(path) == {
        "a": "1e-4",
        "b": 1.5e-4,
        "c": 31,
        "d": True,
        "e": None,
        "f": "2020-13-45",
        "g": "2020-01-02",
        "h": "it's",
        "i": "two\nlines\n",
        "j": {"k": [1, -2.5, False]},
        "l": None,
    }


def test_missing_file_and_empty_file(tmp_path):
    with pytest.raises(ConfigError, match="no configuration file at .*nope.yaml"):
        read_yaml(tmp_path / "nope.yaml")
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert read_yaml(tmp_path / "empty.yaml") == {}


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_shipped_configurations_fit_and_say_only_what_differs(path):
    values = read_yaml(path)
    options_from(TrainOptions, values, path.name)
    same = [
        key
        for key, value in values.items()
        if key != "preset" and value == getattr(TrainOptions(), key)
    ]
    assert not same, f"{path.name} repeats defaults: {same}"


def test_flags_win_over_the_file(tmp_path):
    path = tmp_path / "run.yaml"
    path.write_text("batch: 4\nseed: 7\nweights: {flow_image: 1.0}\n")
    line = [
        "train",
        "--data",
        "d",
        "--out",
        "o",
        "--config",
        str(path),
        "--batch",
        "2",
        "--weights-matte",
        "0.5",
        "--no-mirror",
    ]
    options = parsed_options(parsed_arguments(line))
    assert (options.batch, options.seed, options.mirror) == (2, 7, False)
    assert (options.weights.flow_image, options.weights.matte) == (1.0, 0.5)


def test_wrong_flag_values_are_named():
    parsed = parsed_arguments(["build-dataset", "x.mp4", "--out", "o", "--fps", "often"])
    with pytest.raises(ConfigError, match="--fps needs a number, got 'often'"):
        parsed_options(parsed)


@pytest.mark.parametrize("cls", [TrainOptions, AnimateOptions, BuildDatasetOptions])
def test_defaults_pass_their_own_checks(cls):
    from dancepipe.config import as_plain

    assert options_from(cls, as_plain(cls()), "defaults") == cls()
