"""What the house knows of this system before it is opened."""

from dancepipe.systems.guided.dims import GuidedDims
from dancepipe.systems.guided.network import GuidedNetwork
from dancepipe.systems.single.entry import single_entry


def _training():
    from dancepipe.systems.guided.training import TRAINING

    return TRAINING


ENTRY = single_entry(GuidedDims, GuidedNetwork, _training)
