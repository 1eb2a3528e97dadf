"""How CoCosNet and few-shot-vid2vid begin."""

from torch import nn
from torch.nn.utils.parametrize import is_parametrized


def begin_small(network: nn.Module) -> None:
    """Xavier-normal with gain 0.02, biases 0; layers with a spectral norm keep PyTorch's own
    beginning, as the published code does in effect."""
    for module in network.modules():
        if isinstance(module, (nn.Conv2d, nn.Linear)) and not is_parametrized(module):
            nn.init.xavier_normal_(module.weight, 0.02)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
