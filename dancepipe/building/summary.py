"""What a run of build-dataset reports."""

from dataclasses import dataclass
from pathlib import Path

from dancepipe.errors import OutputError
from dancepipe.files.lock import Lock


@dataclass(frozen=True)
class BuildSummary:
    """What a run did. Sources are videos, or the pictures of a published data set."""

    sources: int
    clips_written: int
    clips_already_there: int
    failures: int
    frames_written: int
    seconds: float
    copies: int = 0  # clips in the data set whose pictures another one has, put aside
    failures_for_now: int = 0  # of the failures, those that the next run tries again


def must_be_there(written: list[Path], lock: Lock) -> None:
    """At the end of a run: OutputError when somebody removed what it wrote."""
    lock.check()
    gone = [path for path in written if not path.exists()]
    if gone:
        raise OutputError(
            f"{len(gone)} of {len(written)} clips were removed while this ran, first {gone[0]}; "
            "run the same command again"
        )
