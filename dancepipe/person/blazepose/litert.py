"""The doorway to LiteRT: a .tflite network as a plain call that any thread may make.

An interpreter holds the numbers of one run, so each run that goes on has an interpreter of its own;
a run releases Python's lock, and two threads look at two frames. One thread an interpreter: the
numbers are then the same on every machine load, and no thread pool is there that a fork would lose.
"""

import contextlib
import os
import sys
import tempfile
import threading
from collections.abc import Iterator

import numpy as np

from dancepipe.errors import MissingExtraError, WeightsError

_GREETING = threading.Lock()  # the library's greeting goes to the whole process's stderr


class Network:
    """run(picture) -> the network's outputs."""

    def __init__(self, name: str, content: bytes):
        """content: of a .tflite file. WeightsError when it is none; MissingExtraError."""
        self._name, self._content = name, content
        self._lock = threading.Lock()
        first = _open(name, content)
        self._input = first.get_input_details()[0]["index"]
        self._outputs = [output["index"] for output in first.get_output_details()]
        self._idle = [first]
        self._closed = False

    def run(self, picture: np.ndarray) -> tuple[np.ndarray, ...]:
        """picture: float32 (S, S, 3) -> float32 arrays as in the file. ValueError once closed."""
        with self._lock:
            if self._closed:
                raise ValueError(f"the network {self._name} is closed")
            interpreter = self._idle.pop() if self._idle else None
        if interpreter is None:
            interpreter = _open(self._name, self._content)
        interpreter.set_tensor(self._input, picture[None])
        interpreter.invoke()
        outputs = tuple(interpreter.get_tensor(index) for index in self._outputs)
        with self._lock:
            if not self._closed:
                self._idle.append(interpreter)
        return outputs

    def close(self) -> None:
        """Frees the interpreters. Closing twice is allowed."""
        with self._lock:
            self._closed = True
            self._idle.clear()


def _open(name: str, content: bytes):
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError as error:
        raise MissingExtraError("ai-edge-litert", None, "finding people") from error
    try:
        with silent_stderr():
            interpreter = Interpreter(model_content=content, num_threads=1)
            interpreter.allocate_tensors()
    except (ValueError, RuntimeError) as error:
        reason = str(error).strip().splitlines()[-1] if str(error).strip() else type(error).__name__
        raise WeightsError(f"cannot read the network {name}: {reason}") from error
    return interpreter


@contextlib.contextmanager
def silent_stderr() -> Iterator[None]:
    """Holds back what C++ code writes to file descriptor 2."""
    with _GREETING:
        try:
            kept = os.dup(2)
        except OSError:  # a process without stderr
            yield
            return
        if sys.stderr is not None:
            sys.stderr.flush()
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 2)
            try:
                yield
            finally:
                os.dup2(kept, 2)
                os.close(kept)
