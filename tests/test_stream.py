"""The stream: pair n depends on (seed, n) alone, whoever renders it and in whatever order."""

import numpy as np
import pytest
from dancer_pack import dancer_pack  # noqa: F401

pytest.importorskip("numba")

from dancepipe.data.pairs import pair_batches
from dancepipe.pose.skeleton import L_WRIST, R_WRIST
from dancepipe.skeletons import BLAZEPOSE_33
from dancepipe.synthetic.frames import FrameOptions
from dancepipe.synthetic.stream import DancerPairs, StreamOptions

STREAM = StreamOptions(block=4, lanes=2, cast=2, fresh=1, frames=2)


def pairs_of(pack, frame_options=FrameOptions(size_px=48), **settings):
    return DancerPairs(pack, seed=4, frame_options=frame_options, stream=STREAM, **settings)


def test_pairs_do_not_depend_on_the_order_they_are_asked_for(dancer_pack):
    forwards, backwards = pairs_of(dancer_pack), pairs_of(dancer_pack)
    numbers = [0, 3, 5, 8]
    first = [forwards[number] for number in numbers]
    second = [backwards[number] for number in reversed(numbers)][::-1]
    for one, other in zip(first, second):
        for name in one:
            np.testing.assert_array_equal(one[name], other[name])
    assert (first[0]["target_image"] != first[2]["target_image"]).any()


@pytest.mark.parametrize(
    ("frame_options", "workers", "with_flow"),
    [
        (FrameOptions(size_px=48), 2, True),
        (FrameOptions(size_px=96, degraded=True, detected_share=0.5), 1, False),
    ],
)
def test_a_loader_with_workers_gives_the_same_batches(
    dancer_pack, frame_options, workers, with_flow
):
    """Also where the person finder has looked in this process before, whose threads no forked
    worker survives."""
    pairs = pairs_of(dancer_pack, frame_options, with_flow=with_flow)
    alone, shared = (list(pair_batches(pairs, 4, 0, 8, workers)) for workers in (0, workers))
    assert len(alone) == 2
    for one, other in zip(alone, shared):
        assert (one.flow is not None) == with_flow and (not with_flow or one.flow_visible.any())
        for name, value in vars(one).items():
            if value is not None:
                np.testing.assert_array_equal(value.numpy(), getattr(other, name).numpy())


def test_landmarks_and_hands_come_with_every_pair(dancer_pack):
    """Exact ones: pair for pair those of the joints."""
    pairs = pairs_of(dancer_pack)
    batch = next(iter(pair_batches(pairs, 4, 0, 4, workers=0)))
    for role in ("reference", "target"):
        joints, landmarks = (getattr(batch, f"{role}_{part}") for part in ("joints", "landmarks"))
        hands = getattr(batch, f"{role}_hands")
        assert landmarks.shape == (4, 33, 4) and hands.shape == (4, 2, 21, 4)
        wrists = [BLAZEPOSE_33.index(f"{side}_wrist") for side in ("right", "left")]
        np.testing.assert_allclose(
            landmarks[:, wrists, :2], joints[:, [R_WRIST, L_WRIST], :2], atol=1e-3
        )
        np.testing.assert_allclose(hands[:, :, 0, :2], landmarks[:, wrists, :2], atol=1e-3)
        assert (hands[..., 3] > 0).float().mean() > 0.8


def test_flow_comes_with_the_pair(dancer_pack):
    pair = pairs_of(dancer_pack, with_flow=True)[1]
    assert pair["flow"].shape == (48, 48, 2) and pair["flow_visible"].shape == (48, 48)
    assert (pair["target_mask"][pair["flow_visible"]] == 255).all()
