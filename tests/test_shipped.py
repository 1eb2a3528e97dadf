"""The weights that ship: in the package, whole, the ones of the list, and used when none are
named."""

import os
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

import dancepipe
from dancepipe.body import part_parser
from dancepipe.cli import main
from dancepipe.doctor import doctor
from dancepipe.errors import WeightsError, WeightsMissingError
from dancepipe.systems import shipped
from dancepipe.systems.focus_retain.networks import load_networks
from dancepipe.systems.open import open_named
from dancepipe.systems.shipped import DEFAULT, SHIPPED, find_weights, shipped_path

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize("weights", SHIPPED, ids=lambda one: one.name)
def test_what_is_listed_is_there_and_loads(weights):
    networks = load_networks(shipped_path(weights))
    height, width = networks.dims.size_hw
    assert weights.name == f"{networks.dims.preset}-{height}" and height == width
    assert networks.info.step > 0


def test_all_of_it_is_small_and_has_a_card():
    files = sorted((ROOT / "dancepipe" / "weights").glob("*"))
    shipped = {one.name: one.sha256 for one in SHIPPED} | {"part-parser": part_parser.SHA256}
    assert [path.stem for path in files] == sorted(shipped)
    assert sum(path.stat().st_size for path in files) <= 40 * 2**20
    card = (ROOT / "docs" / "weights.md").read_text()
    assert all(name in card and digest in card for name, digest in shipped.items())


def test_a_name_a_file_or_nothing(tmp_path, monkeypatch):
    assert find_weights(None) == find_weights(Path(DEFAULT.name)) == DEFAULT.path
    other = tmp_path / "mine.safetensors"
    assert find_weights(other) == other  # whoever opens it says that it is not there
    monkeypatch.chdir(tmp_path)
    Path(DEFAULT.name).write_bytes(b"")
    assert find_weights(DEFAULT.name) == Path(DEFAULT.name), "a file of that name is what was meant"


def test_a_damaged_or_missing_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(shipped, "_FOLDER", tmp_path)
    with pytest.raises(
        WeightsMissingError, match="packed without its weights; install it anew, or give --weights"
    ):
        find_weights(None)
    (tmp_path / f"{DEFAULT.name}.safetensors").write_bytes(b"something else")
    with pytest.raises(
        WeightsError, match="is not the file that was shipped .*; install dancepipe anew"
    ):
        find_weights(None)


def test_they_are_listed_and_looked_at(capsys):
    assert main(["weights"]) == 0
    printed = capsys.readouterr().out
    assert DEFAULT.sha256 in printed and "Apache-2.0" in printed
    assert f"{DEFAULT.name}: preset live, 256 x 256" in doctor()


def test_a_folder_of_the_same_name_hides_no_weights(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in (DEFAULT.name, "body"):
        (tmp_path / name).mkdir()
    assert find_weights(DEFAULT.name) == DEFAULT.path
    assert open_named("body", "cpu").info.name == "body"


def test_a_wheel_holds_them(tmp_path):
    """Built from a copy, by the build backend that pip would call."""
    from shutil import copytree, ignore_patterns

    # Asked for, not imported: whatever ran here before may have loaded distutils.
    if int(version("setuptools").split(".")[0]) < 77:
        pytest.skip("needs setuptools 77 for the licence in pyproject.toml")
    files = ("pyproject.toml", "setup.py", "README.md", "LICENSE")
    for name in ("dancepipe", "configs", "samples", *files):
        source = ROOT / name
        copytree(
            source, tmp_path / name, ignore=ignore_patterns("__pycache__")
        ) if source.is_dir() else (tmp_path / name).write_bytes(source.read_bytes())
    build = "import setuptools.build_meta as backend; print(backend.build_wheel('dist'))"
    (tmp_path / "dist").mkdir()
    subprocess.run(
        [sys.executable, "-c", build], cwd=tmp_path, check=True, capture_output=True, timeout=120
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    assert (
        f"dancepipe/weights/{DEFAULT.name}.safetensors" in names
        and "dancepipe/weights/part-parser.safetensors" in names
        and "dancepipe/body/body.npz" in names
        and "dancepipe/study/page.html" in names
        and "dancepipe/py.typed" in names
    )
    assert wheel.name.startswith(f"dancepipe-{dancepipe.__version__}-")

    # Installed by unpacking it: the configurations are found from anywhere.
    zipfile.ZipFile(wheel).extractall(tmp_path / "installed")
    look = (
        "from dancepipe.config import find_config, read_yaml;"
        "print(find_config('live'), find_config('ablation/full'), read_yaml(find_config('live')))"
    )
    found = subprocess.run(
        [sys.executable, "-c", look],
        cwd=tmp_path / "dist",
        env={**os.environ, "PYTHONPATH": str(tmp_path / "installed")},
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    folder = tmp_path / "installed" / "dancepipe" / "configs"
    assert found.startswith(f"{folder / 'live.yaml'} {folder / 'ablation' / 'full.yaml'} ")
    assert "'preset': 'live'" in found
