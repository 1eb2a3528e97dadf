"""Doors that fail in every way that fuzz_runner.py watches for."""

import os
import signal
import time
from pathlib import Path

from fuzz_cases import Kind

from dancepipe.errors import ConfigError


def _make(folder: Path) -> list[str]:
    (folder / "a.txt").write_text("sound")
    return ["a.txt"]


def _spoil(random, data: bytes) -> bytes:
    return data + b" no more" + bytes([random.randrange(65, 91)])


def _trap(act):
    def door(path: Path) -> None:
        if path.read_text() != "sound":
            act()

    return door


def _raise(error: BaseException) -> None:
    raise error


_MEMORY: list[bytes] = []
_DOORS = {
    "answers": _trap(lambda: _raise(ConfigError("one line"))),
    "talks": _trap(lambda: _raise(ConfigError("one line\nand another"))),
    "raises": _trap(lambda: _raise(ZeroDivisionError("a bug"))),
    "leaves": _trap(lambda: _raise(SystemExit(0))),
    "dies": _trap(lambda: os.kill(os.getpid(), signal.SIGSEGV)),
    "computes": _trap(lambda: [None for _ in iter(int, 1)]),
    "sleeps": _trap(lambda: time.sleep(1000)),
    "grows": _trap(lambda: _MEMORY.append(b"1" * (80 << 20))),
    "refuses": lambda path: _raise(ConfigError("even what is sound")),
}
KINDS = {name: Kind(name, _make, {"": (_spoil,)}, door) for name, door in _DOORS.items()}
