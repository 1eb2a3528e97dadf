"""What the house knows of this system before it is opened."""

from dancepipe.systems.fewshot.dims import FewshotDims
from dancepipe.systems.fewshot.network import FewshotNetwork
from dancepipe.systems.single.entry import single_entry


def _training():
    from dancepipe.systems.fewshot.training import TRAINING

    return TRAINING


ENTRY = single_entry(FewshotDims, FewshotNetwork, _training)
