"""Stages of a stream that overlap: each iterable runs in a thread of its own behind a bounded
queue."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

T = TypeVar("T")
_END = object()


class in_thread(Generic[T]):
    """The same items in the same order, produced ahead in a thread from now on, at most `depth`
    waiting.

    An exception in the producer is raised here at its place in the order. When the consumer stops
    early and closes or drops this, the producer is closed and the thread joined.
    """

    def __init__(self, items: Iterable[T], depth: int, name: str):
        self._waiting: queue.Queue = queue.Queue(maxsize=depth)
        self._stop = threading.Event()
        self._thread = threading.Thread(  # which does not know of this object, so that it can go
            target=_produce, args=(items, self._waiting, self._stop), name=name, daemon=True
        )
        self._thread.start()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        if self._stop.is_set():
            raise StopIteration
        item, error = self._waiting.get()
        if item is not _END:
            return item
        self.close()
        if error is not None:
            raise error
        raise StopIteration

    def close(self) -> None:
        """No further items. Closing twice is allowed."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join()

    def __del__(self):
        if hasattr(self, "_thread"):
            self.close()


def _produce(items: Iterable, waiting: queue.Queue, stop: threading.Event) -> None:
    def put(item) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    iterator = iter(items)
    del items
    try:
        for item in iterator:
            if not put((item, None)):
                return
        put((_END, None))
    except BaseException as error:  # carried over to the consumer, not swallowed
        put((_END, error))
    finally:
        if (close := getattr(iterator, "close", None)) is not None:
            close()
