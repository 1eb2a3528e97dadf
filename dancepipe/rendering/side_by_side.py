"""Two finders in two threads: two cores look at two pictures."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dancepipe.person.finder import PersonFinder
from dancepipe.records import PersonFrame


def found_side_by_side(
    images: Sequence[np.ndarray], finders: Sequence[PersonFinder]
) -> list[PersonFrame | None]:
    """The person of each picture, in order. finders: in photo mode, one a thread, all alike."""

    def find_each(place: int) -> list[PersonFrame | None]:
        return [finders[place].find(image) for image in images[place :: len(finders)]]

    found: list[PersonFrame | None] = [None] * len(images)
    with ThreadPoolExecutor(len(finders)) as pool:
        for place, part in enumerate(pool.map(find_each, range(len(finders)))):
            found[place :: len(finders)] = part
    return found
