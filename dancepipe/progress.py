"""How far a run is: counted where the work is done, told to whoever asked at the door.

A library call tells its callback `progress(done, total)`; the command line draws bars on the
terminal; both are off where nobody asked.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Generic, TypeVar

from tqdm import tqdm

Progress = Callable[[int, "int | None"], object]  # done, total; None: nobody knows how many

T = TypeVar("T")
_callback: ContextVar[Progress | None] = ContextVar("callback", default=None)
_draws: ContextVar[bool] = ContextVar("draws", default=False)


@contextmanager
def told(progress: Progress | None) -> Iterator[None]:
    """with-block: what is counted inside is told to the callback, in the thread that counts. What
    the callback raises ends the run."""
    token = _callback.set(progress)
    try:
        yield
    finally:
        _callback.reset(token)


@contextmanager
def drawn() -> Iterator[None]:
    """with-block: what is counted inside is drawn as a bar, where stderr is a terminal."""
    token = _draws.set(True)
    try:
        yield
    finally:
        _draws.reset(token)


class counted(Generic[T]):
    """A count of work, `total` long: iterate over it, or call update(). Arguments as tqdm's.

    leave: False for a part of something that is counted itself; callbacks are not told of it.
    disable: True where another process counts.
    """

    def __init__(
        self,
        items: Iterable[T] = (),
        *,
        total: int | None = None,
        initial: int = 0,
        desc: str | None = None,
        unit: str = "it",
        leave: bool = True,
        disable: bool | None = None,
    ):
        if total is None and hasattr(items, "__len__"):
            total = len(items) or None  # type: ignore[arg-type]
        self._items, self._total, self._done = items, total, initial
        self._callback = _callback.get() if leave and not disable else None
        self._bar = tqdm(
            total=total,
            initial=initial,
            desc=desc,
            unit=unit,
            leave=leave,
            disable=None if _draws.get() and not disable else True,
        )

    @property
    def disable(self) -> bool:
        """No bar is drawn."""
        return self._bar.disable

    def update(self, count: int = 1) -> None:
        """`count` more are done."""
        self._done += count
        self._bar.update(count)
        if self._callback is not None:
            self._callback(self._done, self._total)

    def set_postfix(self, figures: dict[str, str]) -> None:
        """Figures beside the bar."""
        self._bar.set_postfix(figures)

    def close(self) -> None:
        """The bar is left as it is."""
        self._bar.close()

    def __iter__(self) -> Iterator[T]:
        try:
            for item in self._items:
                yield item
                self.update()
        finally:
            self.close()

    def __enter__(self) -> "counted[T]":
        return self

    def __exit__(self, *_) -> None:
        self.close()
