"""What a run of animate reports."""

from dataclasses import dataclass
from pathlib import Path

_SHOWN = {
    "hold": "held the last pose",
    "blank": "show the background alone",
    "cut": "were left out",
}


@dataclass(frozen=True)
class AnimateSummary:
    """What a run did."""

    out: Path
    frames_in: int
    frames_out: int
    frames_held: int
    shortfall_seconds: float
    corrupt_frames: int
    audio_codec: str | None  # of the driver
    audio_kept: bool
    people_seen: int
    seconds: float
    absent: str = "hold"  # what those frames without the dancer show
    frames_kept: int = 0  # of those, made by an earlier run that was stopped
    runs: int = 1  # that share the parts
    parts_missing: int = 0  # of other runs; the one that ends last writes the video
    is_joined: bool = True  # by this run

    def _about_audio(self) -> str:
        if self.audio_codec is None:
            return "no audio in the driver"
        return "audio kept" if self.audio_kept else "audio left out"

    def _about_share(self) -> str:
        share = f"this run's share of {self.runs}, {self.frames_out} frames, is made"
        if not self.parts_missing:
            return f"{share}, and another run has written the video"
        return (
            f"{share}; {self.parts_missing} parts of the video are missing yet, and the run that "
            "ends last writes it"
        )

    def text(self) -> str:
        """One line for the user."""
        if not self.is_joined:
            return f"{self.out}: {self._about_share()}; {self.seconds:.1f} s"
        parts = [f"{self.out}: {self.frames_out} frames of {self.frames_in}, {self._about_audio()}"]
        if self.frames_held:
            shown = _SHOWN[self.absent]
            parts.append(f"{self.frames_held} frames without the dancer {shown}")
        if self.shortfall_seconds:
            parts.append(
                f"the driver is truncated: its last {self.shortfall_seconds:.2f} s are missing"
            )
        if self.corrupt_frames:
            parts.append(f"{self.corrupt_frames} damaged frames in the driver")
        if self.frames_kept and self.runs == 1:
            parts.append(f"{self.frames_kept} frames were kept from a run that was stopped")
        if self.runs > 1:
            parts.append(f"{self.runs} runs shared it")
        rate = max(0, self.frames_out - self.frames_kept) / self.seconds
        return "; ".join(parts) + f"; {self.seconds:.1f} s, {rate:.1f} frames a second"
