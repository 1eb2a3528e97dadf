"""Two finders in two threads: two cores look at two pictures."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dancepipe.person.clothes import Clothes
from dancepipe.person.finder import PersonFinder
from dancepipe.records import PersonFrame


def found_side_by_side(
    images: Sequence[np.ndarray], finders: Sequence[PersonFinder], clothes: Clothes | None = None
) -> list[PersonFrame | None]:
    """The person of each picture, in order. finders: in photo mode, one a thread, all alike.
    clothes: of whom to look for; None: of nobody in particular."""

    def find_each(place: int) -> list[PersonFrame | None]:
        finder, mine = finders[place], images[place :: len(finders)]
        if clothes is None:
            return [finder.find(image) for image in mine]
        return [finder.find_like(image, clothes) for image in mine]

    found: list[PersonFrame | None] = [None] * len(images)
    with ThreadPoolExecutor(len(finders)) as pool:
        for place, part in enumerate(pool.map(find_each, range(len(finders)))):
            found[place :: len(finders)] = part
    return found
