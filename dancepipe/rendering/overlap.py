"""Stages of a stream that overlap: each generator runs in a thread of its own behind a bounded
queue."""

import queue
import threading
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_END = object()


def in_thread(items: Iterable[T], depth: int, name: str) -> Iterator[T]:
    """The same items in the same order, produced ahead in a thread, at most `depth` waiting.

    An exception in the producer is raised here at its place in the order. When the
    consumer stops early (closes this generator), the producer is closed and joined.
    """
    waiting: queue.Queue = queue.Queue(maxsize=depth)
    stop = threading.Event()

    def put(item) -> bool:
        while not stop.is_set():
            try:
                waiting.put(item, timeout=0.1)
                return True
            except queue.Full:
                continue
        return False

    def produce() -> None:
        iterator = iter(items)
        try:
            for item in iterator:
                if not put((item, None)):
                    return
            put((_END, None))
        except BaseException as error:  # carried over to the consumer, not swallowed
            put((_END, error))
        finally:
            if hasattr(iterator, "close"):
                iterator.close()

    thread = threading.Thread(target=produce, name=name, daemon=True)
    try:
        thread.start()
        while True:
            item, error = waiting.get()
            if error is not None:
                raise error
            if item is _END:
                return
            yield item
    finally:
        stop.set()
        if thread.ident is not None:
            thread.join()
