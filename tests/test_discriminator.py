"""Scores per patch, and spectral norm that holds."""

import torch

from dancepipe.nn.discriminator import face_discriminator, image_discriminator


def test_scores_per_patch():
    assert image_discriminator((256, 256))(torch.zeros(2, 3, 256, 256)).shape == (2, 1, 16, 16)
    assert image_discriminator((128, 64))(torch.zeros(1, 3, 128, 64)).shape == (1, 1, 16, 8)
    assert face_discriminator()(torch.zeros(1, 3, 64, 64)).shape == (1, 1, 8, 8)


def test_every_layer_keeps_spectral_norm_1():
    torch.manual_seed(0)
    network = face_discriminator()
    convolutions = [module for module in network.modules() if isinstance(module, torch.nn.Conv2d)]
    for layer in convolutions:
        with torch.no_grad():
            layer.parametrizations.weight.original.mul_(50)
    for _ in range(30):  # one power iteration each
        network(torch.randn(1, 3, 8, 8))
    network.eval()
    assert len(convolutions) == 10
    for layer in convolutions:
        assert abs(torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() - 1) < 0.05


def test_features_are_those_that_the_score_is_made_of():
    torch.manual_seed(0)
    judge = image_discriminator((64, 64)).eval()
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    scores, features = judge.judge(images)
    assert [tuple(one.shape[1:]) for one in features] == [(32, 32, 32), (64, 16, 16), (128, 8, 8)]
    assert torch.equal(judge(images), scores)
