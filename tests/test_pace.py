"""Pace: waiting is told from working, rates are of the time since the last look, the rest is
foreseen."""

import time

import pytest

from dancepipe.training.pace import TIMES, Pace


def test_waiting_for_data_is_its_share_of_the_time():
    def slow():
        for number in range(4):
            time.sleep(0.03)
            yield number

    pace = Pace(batch=5, step=10, total=30, device="cpu")
    seen = []
    for number in pace.waited_for(slow()):
        time.sleep(0.01)
        seen.append(number)
    figures = pace.figures(14)
    assert seen == [0, 1, 2, 3] and set(figures) == set(TIMES)
    assert 0.5 < figures["data_wait"] < 0.95
    assert 0.3 * 20 / 0.16 < figures["samples_per_second"] < 20 / 0.16
    assert 0.01 < figures["memory_gib"] < 64


def test_the_line_foresees_the_end(monkeypatch):
    clock = iter([0.0, 100.0])
    monkeypatch.setattr(time, "perf_counter", lambda: next(clock))
    pace = Pace(batch=4, step=0, total=250, device="cpu")
    values = pace.figures(50) | {"l1": 0.03125, "total": 0.5}
    assert values["samples_per_second"] == pytest.approx(2.0)
    assert (
        pace.line(1, 50, values)
        == "stage 1, step 50 of 250: 2.0 samples/s, data wait 0%, 0:06:40 to go, l1 0.0312, "
        "total 0.5000"
    )
