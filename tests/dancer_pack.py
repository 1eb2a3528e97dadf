"""The asset pack for tests of rendered dancers."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def dancer_pack(request) -> Path:
    """The pack's folder: the environment variable DANCEPIPE_DANCERS, else dancers/ in the
    material folder; absent: skip."""
    named = os.environ.get("DANCEPIPE_DANCERS")
    folder = Path(named) if named else request.getfixturevalue("shared") / "dancers"
    if not (folder / "MANIFEST.json").exists():
        pytest.skip(f"no asset pack at {folder} (set DANCEPIPE_DANCERS)")
    return folder
