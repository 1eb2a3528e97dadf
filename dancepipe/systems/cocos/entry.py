"""What the house knows of this system before it is opened."""

from dancepipe.systems.cocos.dims import CocosDims
from dancepipe.systems.cocos.network import CocosNetwork
from dancepipe.systems.single.entry import single_entry


def _training():
    from dancepipe.systems.cocos.training import TRAINING

    return TRAINING


ENTRY = single_entry(CocosDims, CocosNetwork, _training)
