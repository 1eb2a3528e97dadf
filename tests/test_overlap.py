"""Threads between stages keep order, stay bounded, carry errors, and stop when the consumer
does."""

import threading
import time

import pytest

from dancepipe.rendering.overlap import in_thread


def test_order_and_completeness_through_three_threads():
    stream = in_thread(
        (2 * x for x in in_thread((x + 1 for x in in_thread(iter(range(500)), 3, "a")), 2, "b")),
        1,
        "c",
    )
    assert list(stream) == [2 * (x + 1) for x in range(500)]


def test_no_more_than_depth_items_are_made_ahead():
    made = []

    def items():
        for x in range(100):
            made.append(x)
            yield x

    stream = in_thread(items(), 4, "ahead")
    next(stream)
    time.sleep(0.3)
    assert len(made) <= 1 + 4 + 1  # taken, waiting, and one in hand
    stream.close()


def test_an_error_arrives_after_the_items_before_it():
    def items():
        yield 1
        yield 2
        raise ValueError("broken at three")

    got = []
    with pytest.raises(ValueError, match="broken at three"):
        for item in in_thread(in_thread(items(), 8, "inner"), 8, "outer"):
            got.append(item)
    assert got == [1, 2]


def test_stopping_early_closes_every_stage_and_leaves_no_thread():
    closed = []

    def items(name):
        try:
            yield from range(10**9)
        finally:
            closed.append(name)

    before = threading.active_count()
    stream = in_thread((x for x in in_thread(items("inner"), 2, "inner")), 2, "outer")
    assert next(stream) == 0
    stream.close()
    assert closed == ["inner"]
    assert threading.active_count() == before


def test_stages_really_overlap():
    """Both producers are at the next item while the consumer still holds the one before."""
    ahead = [threading.Event(), threading.Event()]

    def passed_on(items, event):
        items = iter(items)
        yield next(items)
        event.set()
        yield from items

    inner = in_thread(passed_on(iter(range(20)), ahead[0]), 4, "a")
    outer = in_thread(passed_on(inner, ahead[1]), 4, "b")
    assert next(outer) == 0
    assert all(event.wait(30) for event in ahead)
    assert list(outer) == list(range(1, 20))
