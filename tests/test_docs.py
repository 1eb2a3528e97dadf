"""The pages keep to what is there: links, files, commands, flags and columns that they name, and
the programs that they show."""

import ast
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from people import SAMPLES, write_dance
from PIL import Image

from dancepipe.cli.command_line import COMMANDS, parsed_arguments
from dancepipe.cli.options import parsed_options
from dancepipe.data.store import SCHEMA
from dancepipe.errors import ConfigError

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("samples/*.md")])
LIVING = [page for page in PAGES if "history" not in page.parts]  # what is so
README, EXTEND = ROOT / "README.md", ROOT / "docs" / "extend.md"
NO_ARGUMENTS = {"...", "…", "--help"}  # what may go anywhere, and says nothing of the others

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
each_living_page = pytest.mark.parametrize(
    "page", LIVING, ids=lambda page: str(page.relative_to(ROOT))
)


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def inline_code(page: Path) -> list[str]:
    text = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.M)
    return re.findall(r"`([^`\n]+)`", text)


def command_lines(page: Path) -> list[list[str]]:
    """The words after `dancepipe` of every command that the page shows."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    shown = [*re.findall(r"^    (.+)$", text, re.MULTILINE), *inline_code(page)]
    lines = []
    for line in shown:
        called = re.match(r"(?:\S+ )*?(?:-m )?dancepipe ([a-z-]+( .*)?)$", line.strip())
        if called and called[1].split()[0] not in ("pip", "install"):
            words = shlex.split(called[1], comments=True)
            lines.append([word for word in words if word not in NO_ARGUMENTS])
    return lines


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", one.lower()).replace(" ", "-") for one in headings}


def known_flags() -> set[str]:
    """Those of all commands and tools."""
    flags = {"--version"}
    for tool in (ROOT / "tools").glob("*.py"):
        flags |= set(re.findall(r'"(--[a-z][\w-]*)"', tool.read_text(encoding="utf-8")))
    for command in COMMANDS:
        shown = subprocess.run(
            [sys.executable, "-m", "dancepipe", command.NAME, "--help"],
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        flags |= set(re.findall(r"--?[a-z][\w-]*", shown))
    return flags


def test_the_readme_is_read_in_one_go():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 120


@each_page
def test_links_lead_somewhere(page):
    wrong = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
        if "://" in target:
            continue
        place, _, anchor = target.partition("#")
        file = (page.parent / place).resolve() if place else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            wrong.append(target)
    assert not wrong


@each_living_page
def test_commands_that_are_shown_are_understood(page, monkeypatch):
    monkeypatch.chdir(ROOT)  # configs/ are named from there
    for words in command_lines(page):
        try:
            parsed = parsed_arguments(words)
            if hasattr(parsed, "option_class"):
                parsed_options(parsed)
        except ConfigError as error:  # a page may name a command without all that it needs
            assert "required" in str(error), f"{' '.join(words)}: {error}"


def test_flags_that_are_named_alone_exist():
    known, wrong = known_flags(), []
    for page in LIVING:
        for code in inline_code(page):
            if code.startswith("--"):
                flag = re.match(r"--[a-z0-9-]*", code)[0]
                stem = flag.endswith("-")  # as in --weights-NAME
                if not any(one == flag or stem and one.startswith(flag) for one in known):
                    wrong.append(f"{page.name}: {code}")
    assert not wrong


@each_living_page
def test_files_that_are_named_are_there(page):
    wrong = []
    for code in inline_code(page):
        for path in re.findall(r"^(?:python )?([\w./-]+/[\w.-]+\.(?:py|yaml|md))$", code):
            if not any((top / path).exists() for top in (ROOT, ROOT / "dancepipe", page.parent)):
                wrong.append(path)
    assert not wrong


def test_pages_that_the_code_names_are_there():
    wrong = []
    for folder in ("dancepipe", "tools", "configs"):
        for file in (ROOT / folder).rglob("*"):
            if file.suffix in (".py", ".yaml", ".html"):
                for page in re.findall(r"docs/[\w/]+\.md", file.read_text(encoding="utf-8")):
                    if not (ROOT / page).is_file():
                        wrong.append(f"{file.relative_to(ROOT)}: {page}")
    assert not wrong


def test_every_command_is_in_the_readme():
    table = README.read_text(encoding="utf-8").partition("## The commands")[2].partition("\n## ")[0]
    assert not [command.NAME for command in COMMANDS if f"`{command.NAME}`" not in table]


def test_every_column_of_the_data_set_is_explained():
    text = EXTEND.read_text(encoding="utf-8").partition("## The data set")[2]
    assert not [name for name in SCHEMA.names if f"`{name}`" not in text]


def test_every_room_is_in_the_tree():
    tree = EXTEND.read_text(encoding="utf-8").partition("## The rooms")[2].partition("\n## ")[0]
    rooms = [f"{path.parent.name}/" for path in (ROOT / "dancepipe").glob("*/__init__.py")]
    files = [path.name for path in (ROOT / "dancepipe").glob("*.py") if path.stem != "__main__"]
    assert not [name for name in rooms + files if name not in tree]


@each_page
def test_programs_that_are_shown_are_python(page):
    for program in blocks(page, "python"):
        ast.parse(program)


@pytest.fixture
def here(tmp_path):
    """A folder with the files that the programs name."""
    Image.open(SAMPLES / "reference.png").convert("RGB").save(tmp_path / "me.jpg", quality=95)
    for name in ("dance", "first", "second"):
        write_dance(tmp_path / f"{name}.mp4", frames=6)
    return tmp_path


@pytest.mark.parametrize("page, clips", [(README, 1), (EXTEND, 2)], ids=["README", "extend"])
def test_the_programs_that_are_shown_animate(here, page, clips):
    (program,) = blocks(page, "python")
    assert len(program.strip().splitlines()) <= 10
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=here, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("6 frames of 6") == clips
