"""Parts -> the result: by the run that made them all, or, where several runs share them, by the one
that ends last."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from dancepipe.errors import NoPersonError
from dancepipe.files.lock import lock_file
from dancepipe.media.part_file import PartFile
from dancepipe.progress import counted
from dancepipe.records import VideoInfo
from dancepipe.rendering.cut import Cut
from dancepipe.rendering.kept import KeptRun
from dancepipe.rendering.motion_file import Motion
from dancepipe.rendering.motion_pieces import MotionPieces
from dancepipe.rendering.parts import Parts, cut_of

CutOf = Callable[[Sequence[PartFile]], Cut | None]

_PATIENCE_SECONDS = 24 * 3600.0  # another run joins a long video meanwhile


@dataclass(frozen=True)
class Joined:
    """What became of the parts."""

    frames: int  # of the result; where it is not written here, of this run's parts
    frames_held: int  # of those
    is_here: bool  # this run has written the result
    parts_missing: int = 0  # of other runs, yet


def join_parts(kept: KeptRun, parts: Parts, cut_of: CutOf) -> Joined:
    """All parts are there: write the result. cut_of: what is left out, once all parts are known.
    OutputError."""
    whole = [kept.parts[number] for number in sorted(kept.parts)]
    cut = cut_of(whole)
    with counted(total=kept.frames, desc="joining", unit="frame", leave=False) as count:
        frames = parts.join(whole, count.update, cut)
    kept.remove()
    return Joined(frames, sum(part.facts["held"] for part in whole), is_here=True)


def join_shares(
    out: Path,
    kept: KeptRun,
    parts: Parts,
    count: int,
    check: Callable[[], None],
    cut_of: CutOf,
) -> Joined:
    """This run's parts are there: write the result where the others' are, too. count: of all
    parts. check: whether the result may be written. cut_of: as join_parts has it. OutputError."""
    held = sum(part.facts["held"] for part in kept.parts.values())
    own = Joined(kept.frames, held, is_here=False)
    # Each looks when its own parts are whole, one at a time: the last one sees them all.
    with lock_file(out, patience_seconds=_PATIENCE_SECONDS):
        if not kept.folder.exists():
            return own  # another run was the last one
        kept.read_others()
        if len(kept.parts) < count:
            return Joined(own.frames, held, is_here=False, parts_missing=count - len(kept.parts))
        check()
        return join_parts(kept, parts, cut_of)


def left_out(
    motion: Motion | MotionPieces, info: VideoInfo, driver: Path, parts: Sequence[PartFile]
) -> Cut:
    """The frames without the dancer. NoPersonError when that is all of them."""
    times = [motion.frame(index)[0] for index in range(motion.frames)]
    cut = cut_of(parts, info.time_base, times)
    if cut is None:
        raise NoPersonError(
            f"the dancer is seen in none of {motion.frames} frames of {driver}, and all of them "
            "would be left out; give another video, or --absent hold"
        )
    return cut


def nothing(_: Sequence[PartFile]) -> None:
    """Is left out."""
