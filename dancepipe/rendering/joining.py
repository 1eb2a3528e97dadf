"""Parts -> the result: by the run that made them all, or, where several runs share them, by the one
that ends last."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from dancepipe.files.lock import lock_file
from dancepipe.progress import counted
from dancepipe.rendering.kept import KeptRun
from dancepipe.rendering.parts import Parts

_PATIENCE_SECONDS = 24 * 3600.0  # another run joins a long video meanwhile


@dataclass(frozen=True)
class Joined:
    """What became of the parts."""

    frames: int  # of the result; where it is not written here, of this run's parts
    frames_held: int  # of those
    is_here: bool  # this run has written the result
    parts_missing: int = 0  # of other runs, yet


def join_parts(kept: KeptRun, parts: Parts) -> Joined:
    """All parts are there: write the result. OutputError."""
    whole = [kept.parts[number] for number in sorted(kept.parts)]
    with counted(total=kept.frames, desc="joining", unit="frame", leave=False) as count:
        frames = parts.join(whole, count.update)
    kept.remove()
    return Joined(frames, sum(part.facts["held"] for part in whole), is_here=True)


def join_shares(
    out: Path, kept: KeptRun, parts: Parts, count: int, check: Callable[[], None]
) -> Joined:
    """This run's parts are there: write the result where the others' are, too. count: of all
    parts. check: whether the result may be written. OutputError."""
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
        return join_parts(kept, parts)
