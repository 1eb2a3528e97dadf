"""The house keeps its order: a room imports only from rooms above it, and the stages never
import each other."""

import ast
import subprocess
import sys
import time
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "dancepipe"
ROOMS = [
    ("__init__", "address"),
    ("errors", "skeletons", "geometry"),
    ("records",),
    ("device", "files", "progress"),
    ("config", "processes"),  # losses and norms are counted over all processes of a run
    ("cluster",),
    ("media",),
    ("pose",),
    ("person",),
    ("runtime",),
    ("nn",),
    ("losses",),
    ("body",),
    ("priors",),
    ("data",),
    ("synthetic",),
    ("systems",),
    ("building", "training", "rendering", "evaluation", "study", "filming"),
    ("many",),
    ("doctor", "doors", "web"),
    ("cli",),
    ("__main__",),
]
FLOOR = {room: floor for floor, rooms in enumerate(ROOMS) for room in rooms}


def room_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else path.stem


def imported_rooms(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or ""]
            if isinstance(node, ast.ImportFrom)
            else []
        )
        for name in names:
            parts = name.split(".")
            if parts[0] == "dancepipe":
                found.add(parts[1] if len(parts) > 1 else "__init__")
        assert not (isinstance(node, ast.ImportFrom) and node.level), f"{path}: relative import"
    return found


def test_every_file_has_a_room():
    assert {room_of(path) for path in PACKAGE.rglob("*.py")} <= FLOOR.keys()


def test_rooms_import_only_from_rooms_above():
    wrong = []
    for path in PACKAGE.rglob("*.py"):
        own = room_of(path)
        if own == "__init__":
            continue  # the door to all of them, each opened when it is asked for
        for other in imported_rooms(path) - {own}:
            if FLOOR[other] > FLOOR[own] or (
                FLOOR[other] == FLOOR[own] and own not in ("errors", "geometry", "records")
            ):
                wrong.append(f"{path.relative_to(PACKAGE)} imports {other}")
    assert not wrong, wrong


def test_tools_and_tests_are_never_imported_by_the_package():
    for path in PACKAGE.rglob("*.py"):
        assert "tools" not in imported_rooms(path)


def test_no_file_of_everything():
    banned = {"utils", "helpers", "common", "base", "manager", "core", "misc"}
    assert not [path for path in PACKAGE.rglob("*") if path.stem in banned]


def test_help_is_quick_and_loads_no_torch():
    code = (
        "import sys; from dancepipe.cli import main\ntry: main(['animate', '--help'])\nexcept "
        "SystemExit: pass\nassert 'torch' not in sys.modules and 'ai_edge_litert' not in "
        "sys.modules and 'cv2' not in sys.modules"
    )
    seconds = []
    for _ in range(3):
        started = time.monotonic()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        seconds.append(time.monotonic() - started)
    assert (
        min(seconds) < 2.0
    )  # half a second on a quiet machine; torch alone would take longer than this


def test_every_command_explains_itself():
    for command in (
        "build-dataset",
        "inspect",
        "compact",
        "train",
        "animate",
        "motion",
        "animate-many",
        "dancers",
        "evaluate",
        "study",
        "web",
        "models",
        "doctor",
    ):
        shown = subprocess.run(
            [sys.executable, "-m", "dancepipe", command, "--help"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        assert "usage: dancepipe " + command in shown
