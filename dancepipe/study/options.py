"""The options of study."""

from dataclasses import dataclass

from dancepipe.config import option


@dataclass(frozen=True)
class StudyOptions:
    port: int = option(8000, "port of the page (0: any free one)", minimum=0)
    host: str = option(
        "127.0.0.1",
        "address to serve on; anything but the default lets others on the network see the "
        "pictures and vote",
    )
    pictures: int = option(200, "pairs of each method that a volunteer sees", minimum=1)
    show_seconds: float = option(
        1.0,
        "how long a pair is shown before it is hidden, still to be answered (0: until the answer)",
        minimum=0,
    )
    checks: int = option(
        10,
        "attention checks of each volunteer: a real picture beside a blurred and scrambled one",
        minimum=0,
    )
    check_share: float = option(
        0.9, "a volunteer with a smaller share of right checks is marked and not counted", minimum=0
    )
    seed: int = option(0, "another seed chooses other pictures, sides and orders", minimum=0)
    common: bool = option(
        False, "take only the names that all folders share, where some are unmatched"
    )
    shrink: bool = option(
        False,
        "where the pictures of a pair differ in size, shrink the larger one (same shape needed)",
    )
    enlarge: float = option(
        2.0, "small pictures are shown enlarged, at most this much", minimum=0.1
    )
    rest_after: int = option(100, "offer a rest after this many pairs (0: never)", minimum=0)
