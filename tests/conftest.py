import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hearing import hearing
from PIL import Image

OPEN_PICTURE = Image.open


# A background shell hands on that Ctrl-C is ignored, and tests send it.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def own_picture_reader():
    """Importing ultralytics, as tests of its extra do, replaces Pillow's Image.open for the
    whole process."""
    Image.open = OPEN_PICTURE


def _own_threads() -> None:
    """Libraries that some tests load (Ultralytics, for one) set torch's number of threads for the
    whole process; runs that are compared bit by bit need the same one."""
    number = os.environ.get("OMP_NUM_THREADS")
    if "torch" in sys.modules and number and number.isdigit():
        sys.modules["torch"].set_num_threads(int(number))


@pytest.fixture(autouse=True, scope="module")
def own_threads_of_the_module():
    """Before what the tests of a file share is made."""
    _own_threads()


@pytest.fixture(autouse=True)
def own_threads():
    _own_threads()


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What the library logs during the test, message by message."""
    messages: list[str] = []
    with hearing(messages.append):
        yield messages


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real clips and photos for tests; a test that needs it is skipped where it
    is absent."""
    folder = Path(
        os.environ.get("DANCEPIPE_SHARED") or Path(__file__).resolve().parents[1] / ".." / "shared"
    ).resolve()
    if not folder.is_dir():
        pytest.skip(f"no material folder at {folder} (set DANCEPIPE_SHARED)")
    return folder
