"""Two finders in two threads: two cores look at two pictures."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from dancepipe.person.clothes import Clothes
from dancepipe.person.finder import PersonFinder
from dancepipe.records import PersonFrame


def found_side_by_side(
    images: Sequence[np.ndarray],
    finders: Sequence[PersonFinder],
    clothes: Clothes | None = None,
    tick: Callable[[], object] = lambda: None,
) -> list[PersonFrame | None]:
    """The person of each picture, in order. finders: in photo mode, one a thread, all alike.
    clothes: of whom to look for; None: of nobody in particular. tick: called after each, from
    those threads."""

    def find_each(place: int) -> list[PersonFrame | None]:
        finder, seen = finders[place], []
        for image in images[place :: len(finders)]:
            seen.append(finder.find(image) if clothes is None else finder.find_like(image, clothes))
            tick()
        return seen

    found: list[PersonFrame | None] = [None] * len(images)
    with ThreadPoolExecutor(len(finders)) as pool:
        for place, part in enumerate(pool.map(find_each, range(len(finders)))):
            found[place :: len(finders)] = part
    return found
