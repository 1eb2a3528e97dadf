"""To the networks and back: exact, in the right order, and only from what they take."""

import numpy as np
import pytest
import torch

from dancepipe.nn.tensors import mask_to_network, to_mask, to_network, to_picture
from dancepipe.records import GREY

ALL_LEVELS = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1).repeat(3, 3)


@pytest.mark.parametrize("kind", [np.asarray, torch.as_tensor])
def test_there_and_back_is_exact(kind):
    pictures = np.random.default_rng(0).integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    for batch in (pictures, ALL_LEVELS):
        tensors = to_network(kind(batch))
        assert tensors.dtype == torch.float32 and tensors.shape == (
            len(batch),
            3,
            *batch.shape[1:3],
        )
        np.testing.assert_array_equal(to_picture(tensors).numpy(), batch)


def test_range_and_channel_order():
    red = np.zeros((1, 2, 2, 3), np.uint8)
    red[..., 0] = 255
    assert to_network(red)[0, :, 0, 0].tolist() == [1, -1, -1]
    assert to_network(red).is_contiguous(memory_format=torch.channels_last)
    assert to_network(np.full((1, 2, 2, 3), GREY, np.uint8)).unique().item() == pytest.approx(
        GREY / 127.5 - 1, abs=1e-6
    )


def test_values_outside_are_clipped_and_half_precision_is_taken():
    values = torch.tensor([-3.0, -1.0, 0.0, 1.0, 7.0, -0.999]).view(1, 1, 1, 6).expand(1, 3, 1, 6)
    assert to_picture(values)[0, 0, :, 1].tolist() == [0, 0, 128, 255, 255, 0]
    assert to_picture(values.bfloat16())[0, 0, :5, 1].tolist() == [0, 0, 128, 255, 255]


def test_masks():
    mask = np.array([[[0, 255, 51]]], np.uint8)
    assert mask_to_network(mask).shape == (1, 1, 1, 3)
    torch.testing.assert_close(mask_to_network(mask).flatten(), torch.tensor([0, 1, 0.2]))
    levels = np.arange(256, dtype=np.uint8).reshape(2, 8, 16)
    np.testing.assert_array_equal(to_mask(mask_to_network(levels)).numpy(), levels)


def test_other_things_are_refused():
    with pytest.raises(ValueError, match=r"uint8 batch of 4 dimensions, got torch.float32"):
        to_network(np.zeros((1, 2, 2, 3), np.float32))
    with pytest.raises(ValueError, match="channels, last"):
        to_network(np.zeros((1, 3, 8, 8), np.uint8))
    with pytest.raises(ValueError, match="batch of 3 dimensions"):
        mask_to_network(np.zeros((2, 2), np.uint8))
