"""Errors come back from worker processes as they were raised."""

import pickle

import pytest

from dancepipe.errors import (
    BadImageError,
    BadVideoError,
    ConfigError,
    FetchError,
    MissingExtraError,
)

ERRORS = [
    ConfigError("one line"),
    BadVideoError("a.mp4", "no frames"),
    BadImageError("a.jpg", "no picture"),
    FetchError("https://x", "gone"),
    MissingExtraError("lpips", "metrics", "LPIPS"),
    MissingExtraError("ai-edge-litert", None, "finding people"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_survives_pickling(error):
    back = pickle.loads(pickle.dumps(error))
    assert type(back) is type(error) and str(back) == str(error) and vars(back) == vars(error)


def test_a_missing_package_is_named_as_pip_takes_it():
    assert "pip install 'dancepipe[metrics]'" in str(MissingExtraError("lpips", "metrics", "LPIPS"))
    assert "pip install 'ai-edge-litert'" in str(
        MissingExtraError("ai-edge-litert", None, "finding people")
    )
