"""What an install brings: every library that is imported is one of the core's dependencies, or is
looked for where its extra is named."""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dancepipe import doctor
from dancepipe.errors import MissingExtraError
from dancepipe.synthetic import assets

ROOT = Path(__file__).resolve().parents[1]
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
IMPORTED_AS = {
    "pillow": "PIL",
    "pyyaml": "yaml",
    "opencv-python-headless": "cv2",
    "ffmpeg-python": "ffmpeg",
}
WITH_OTHERS = {
    "onnxruntime": "rembg",
    "fastapi": "gradio",
    "uvicorn": "gradio",
}  # what comes along with a package that is named


def names_in(listed: str) -> set[str]:
    return {re.match(r"[\w.-]+", one).group() for one in re.findall(r'"([^"]+)"', listed)}


def core() -> set[str]:
    return names_in(re.search(r"^dependencies = \[\n(.*?)^\]", PROJECT, re.S | re.M).group(1))


def extras() -> dict[str, set[str]]:
    block = PROJECT.split("[project.optional-dependencies]")[1].split("\n[")[0]
    listed = re.findall(r"^(\w+) = \[(.*)\]", block, re.M)
    return {name: names_in(packages) for name, packages in listed if name != "dev"}


def as_imported(names: set[str]) -> set[str]:
    return {IMPORTED_AS.get(name, name.replace("-", "_")) for name in names}


def imported(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {name.name.split(".")[0] for name in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add((node.module or "").split(".")[0])
    return found - sys.stdlib_module_names - {"dancepipe"}


def test_what_the_core_imports_comes_with_it():
    of_extras = set().union(*(as_imported(names) for name, names in extras().items()))
    of_extras |= WITH_OTHERS.keys()
    files = sorted((ROOT / "dancepipe").rglob("*.py"))
    known = as_imported(core())
    unknown = {str(path): imported(path) - known - of_extras for path in files}
    assert not {path: names for path, names in unknown.items() if names}
    # An extra's library is loaded where it is used, after its doorway was passed: of the page that
    # is serve.py.
    files.remove(ROOT / "dancepipe" / "web" / "page.py")
    at_once = {
        f"{path}: {name}"
        for path in files
        for name in of_extras - known
        if re.search(rf"^(import|from) {name}\b", path.read_text(encoding="utf-8"), re.M)
    }
    assert not at_once


def test_a_wheel_works_outside_of_the_checkout(tmp_path):
    kept = shutil.ignore_patterns(".git", ".venv", "build", "tests", "__pycache__", "*.egg-info")
    shutil.copytree(ROOT, tmp_path / "source", ignore=kept)
    pip = [sys.executable, "-m", "pip", "-q", "--disable-pip-version-check"]
    build = ["wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(tmp_path)]
    subprocess.run([*pip, *build, str(tmp_path / "source")], check=True, timeout=120)
    (wheel,) = tmp_path.glob("*.whl")
    shutil.rmtree(tmp_path / "source")
    place = ["install", "--no-deps", "--no-index", "--target", str(tmp_path / "there"), str(wheel)]
    subprocess.run([*pip, *place], check=True, timeout=120)
    code = (
        "import dancepipe, sys; from dancepipe.cli import main; from dancepipe.config import "
        "find_config; from dancepipe.web.folder import samples; from dancepipe.systems.shipped "
        "import find_weights; files = [dancepipe.__file__, find_config('live'), *samples(), "
        "find_weights('live-256')]; print(*files, sep='\\n'); sys.exit(main(['--version']))"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "there")},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert shown.returncode == 0, shown.stderr
    *files, version = shown.stdout.splitlines()
    assert version.startswith("dancepipe ") and len(files) == 5
    assert all(Path(one).is_relative_to(tmp_path / "there") for one in files), files


def test_doctor_knows_the_core_and_every_extra():
    assert set(doctor._CORE) == core()
    listed = extras()
    assert doctor._EXTRAS.keys() == listed.keys()
    assert all(package in listed[extra] for extra, package in doctor._EXTRAS.items())


def test_the_lock_names_a_fitting_version_of_every_package_and_no_place():
    text = (ROOT / "requirements.lock").read_text(encoding="utf-8")
    assert "://" not in text and "--" not in text
    pins: dict[str, list[str]] = {}
    for name, version in re.findall(r"^([\w.-]+)==([^\s;]+)", text, re.M):
        pins.setdefault(canonicalize_name(name), []).append(version)
    listed = PROJECT.split("\ndependencies")[1].split("[project.scripts]")[0]
    asked = [Requirement(one) for one in re.findall(r'"(\w[^"]*[<>][^"]*)"', listed)]
    assert len(asked) > 30
    for one in asked:
        fitting = [one.specifier.contains(pin) for pin in pins[canonicalize_name(one.name)]]
        assert fitting and all(fitting), one
    for name in ("Dockerfile", "Dockerfile.gpu"):
        installs = re.findall(r"pip install .*", (ROOT / name).read_text(encoding="utf-8"))
        assert all("--constraint /requirements.lock" in line for line in installs), name


def test_the_body_is_drawn_without_scipy():
    code = (
        "import sys; sys.modules['scipy'] = None\n"
        "from dancepipe.systems.open import open_unlearnt; open_unlearnt('body', 'cpu')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_rendering_people_without_its_extra_is_one_line(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "scipy", None)
    with pytest.raises(MissingExtraError, match=r"scipy.*pip install 'dancepipe\[dancers\]'"):
        assets.load_assets(tmp_path)


def test_kernels_of_the_body_call_nothing_that_numba_has_from_scipy():
    for path in sorted((ROOT / "dancepipe" / "body").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            is_kernel = isinstance(node, ast.FunctionDef) and any(
                "njit" in ast.unparse(decorator) for decorator in node.decorator_list
            )
            if is_kernel:
                body = [ast.unparse(line) for line in node.body if not is_words(line)]
                assert not re.search(r"np\.linalg|np\.v?dot|\.dot\(| @ ", "\n".join(body)), (
                    f"{path.name}: {node.name}"
                )


def is_words(line: ast.stmt) -> bool:
    return isinstance(line, ast.Expr) and isinstance(line.value, ast.Constant)
