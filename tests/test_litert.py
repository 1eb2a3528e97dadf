"""Networks behind the doorway to LiteRT."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from dancepipe.errors import WeightsError
from dancepipe.person.blazepose.litert import Network
from dancepipe.person.blazepose.models import HAND_REGION, read_model


@pytest.fixture(scope="module")
def content():
    return read_model(HAND_REGION)


def pictures(count: int) -> list[np.ndarray]:
    return [np.random.default_rng(seed).random((256, 256, 3), np.float32) for seed in range(count)]


def test_runs_at_the_same_time_do_not_disturb_each_other(content):
    network = Network("hand_recrop.tflite", content)
    alone = [network.run(picture)[0] for picture in pictures(16)]
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(lambda picture: network.run(picture)[0], pictures(16)))
    network.close()
    np.testing.assert_array_equal(alone, together)
    assert len({answer.tobytes() for answer in alone}) == 16


def test_what_a_run_gave_stays_as_it_was(content):
    network = Network("hand_recrop.tflite", content)
    first, second = pictures(2)
    (answer,) = network.run(first)
    kept = answer.copy()
    network.run(second)
    network.close()
    np.testing.assert_array_equal(answer, kept)


@pytest.mark.parametrize(
    "damage", [lambda content: b"", lambda content: b"no network", lambda content: content[:5000]]
)
def test_what_is_no_network_is_refused_in_one_line(content, damage):
    with pytest.raises(WeightsError, match="cannot read the network broken.tflite: ") as refused:
        Network("broken.tflite", damage(content))
    assert "\n" not in str(refused.value)


def test_a_closed_network_says_so(content):
    network = Network("hand_recrop.tflite", content)
    network.close()
    network.close()
    with pytest.raises(ValueError, match="hand_recrop.tflite is closed"):
        network.run(pictures(1)[0])
