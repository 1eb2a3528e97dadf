"""The other end of worker.py: start a worker, give it jobs, hear of them, stop it."""

import json
import os
import queue
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[2])  # the same dancepipe as this one
_START = (
    "import sys; sys.path[0] = sys.argv[1]; from dancepipe.rendering.worker import main; main()"
)
_PATIENCE_SECONDS = 5


class WorkerProcess:
    """One worker. Its events come as (worker, event) into the queue `events`, each a dict with the
    key "event": said, progress, done, failed, and at the end gone."""

    def __init__(self, events: queue.Queue, threads: int | None = None):
        """threads: of its arithmetic; None: as many as there are cores, or the environment says."""
        environment = dict(os.environ)
        if threads is not None:
            for name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "NUMBA_NUM_THREADS"):
                environment.setdefault(name, str(threads))
        self.job: str | None = None  # what it works on; None again when its end was heard of
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
            encoding="utf-8",
        )
        threading.Thread(target=self._hear, args=(events,), daemon=True).start()

    def give(self, order: dict) -> None:
        """One job; the next one after this has ended."""
        assert self.job is None and self._process.stdin is not None
        self.job = order["job"]
        with suppress(BrokenPipeError):  # it is gone, as its last event tells
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()

    def stop(self) -> None:
        """It leaves whatever it does; nothing half-written stays under a result's name."""
        self._process.terminate()
        try:
            self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """As stop(), at once; what it was writing is left for the next one to remove."""
        self._process.kill()

    def how_it_ended(self) -> str:
        """In words."""
        code = self._process.wait()
        if code == -9:
            return "its process was killed, perhaps since memory ran out"
        return f"its process ended with {f'signal {-code}' if code < 0 else f'code {code}'}"

    def _hear(self, events: queue.Queue) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            events.put((self, event))
        events.put((self, {"event": "gone"}))
