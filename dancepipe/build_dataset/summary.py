"""What a run of build-dataset reports."""

from dataclasses import dataclass


@dataclass(frozen=True)
class BuildSummary:
    """What a run did. Sources are videos, or the pictures of a published data set."""

    sources: int
    clips_written: int
    clips_already_there: int
    failures: int
    frames_written: int
    seconds: float
