"""What a run keeps beside its result until that is whole: its plan, the driver's motion, and the
parts that are done.

A hidden folder, whose name follows from the plan: another plan has another one, so that nothing of
two runs is mixed. It goes when the result is there. Whoever writes in it holds the result's lock,
or, where several runs share the parts, the lock of its shard in the folder.
"""

import json
import logging
import os
import shutil
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from dancepipe.errors import DancepipeError, OutputError
from dancepipe.files.lock import Shard, check_free, check_no_shard, lock_folder, lock_shard
from dancepipe.files.whole_file import name_of_ours, sync_folder, write_text
from dancepipe.media.part_file import PartFile, read_part_file
from dancepipe.rendering.motion_pieces import MotionPieces
from dancepipe.rendering.plan import differences, plan_digest

log = logging.getLogger(__name__)

_PLAN = "plan.json"
_SUFFIX = ".parts"


class KeptRun:
    """`with KeptRun(out, plan) as kept: ...`: what was kept of that run, and what will be.

    Leaving the block by an exception leaves all that is whole and says so; remove() ends it.
    """

    def __init__(self, out: Path, plan: dict, shard: Shard = Shard(0, 1)):
        """shard: whose parts this run makes. OutputError when the folder cannot be made."""
        self._out, self._plan, self._shard = out, plan, shard
        self._beside = Path(os.path.realpath(out)).parent
        self._digits = plan_digest(plan)[:12]
        self.folder = self._beside / name_of_ours(self._digits, _SUFFIX)
        self.parts: dict[int, PartFile] = {}
        self._say_others()
        try:
            self.folder.mkdir(exist_ok=True)
            sync_folder(self._beside)
        except OSError as error:
            raise OutputError(
                f"cannot write {out}: {error.strerror or error}; free some space, or choose a "
                "folder that you may write to"
            ) from error
        self._read()

    def lock(self) -> AbstractContextManager:
        """with-block: no other run makes these parts. BusyError. Of a run alone, which holds the
        result's lock: that no shard is at work."""
        if self._shard.count == 1:
            check_no_shard(self.folder)
            return nullcontext()
        lock = lock_shard(self.folder, self._shard)
        try:
            # Each takes its own and then looks at the other's: of two, one at least sees it.
            check_free(self._out)
        except BaseException:
            lock.release()
            raise
        return lock

    def __enter__(self) -> "KeptRun":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None or not self.folder.exists():
            return
        pieces = len(list(self.folder.glob("motion-*.npz")))
        # A driver without anybody is no better the next time; a full disk is.
        is_hopeless = issubclass(kind, DancepipeError) and not issubclass(kind, OutputError)
        if not self.parts and (is_hopeless or pieces <= 1):  # one is found again in seconds
            self._remove_if_free()
            return
        log.warning(
            f"{_counted(self.frames, 'frame')} of {self._out} and {_counted(pieces, 'piece')} of "
            f"the driver's motion are kept in {self.folder}: the same command goes on from there; "
            "remove that folder if you do not want it"
        )

    @property
    def frames(self) -> int:
        """In all parts that are whole."""
        return sum(part.facts["frames"] for part in self.parts.values())

    def missing(self) -> Callable[[int], bool]:
        """Whether that part is this run's and, as of now, is to be made."""
        there = frozenset(self.parts)
        return lambda number: self._shard.takes(number) and number not in there

    def own_frames(self, frames: int | None, frames_each: int) -> int | None:
        """Of so many of the whole video those in this run's parts; None of None."""
        if frames is None:
            return None
        numbers = range(self._shard.index, -(-frames // frames_each), self._shard.count)
        return sum(min(frames_each, frames - frames_each * number) for number in numbers)

    def path(self, number: int) -> Path:
        """Of a part, there or not yet."""
        return self.folder / f"part-{number:05d}"

    def add(self, number: int) -> None:
        """That part is whole now. OutputError when it cannot be read back."""
        try:
            self.parts[number] = read_part_file(self.path(number))
        except (OSError, ValueError) as error:
            raise OutputError(f"cannot read back {self.path(number)}: {error}") from error

    def motion(self, frames_each: int) -> MotionPieces:
        """The motion that was kept, and what keeps more of it."""
        return MotionPieces(self.folder, frames_each)

    def remove(self) -> None:
        """All of it: the result is there."""
        doomed = self._beside / name_of_ours(self._digits, ".part")
        with suppress(OSError):  # under that name the next command removes what is left of it
            os.rename(self.folder, doomed)
            shutil.rmtree(doomed, ignore_errors=True)

    def read_others(self) -> None:
        """The parts that other shards have made, too."""
        for path in sorted(self.folder.glob("part-*")):
            number = int(path.name.removeprefix("part-"))
            if number not in self.parts:
                with suppress(OSError, ValueError):  # it counts as not there
                    self.parts[number] = read_part_file(path)

    def _remove_if_free(self) -> None:
        if self._shard.count == 1:
            shutil.rmtree(self.folder, ignore_errors=True)
            return
        with suppress(OutputError), lock_folder(self.folder):  # BusyError: others work in it
            shutil.rmtree(self.folder, ignore_errors=True)

    def _read(self) -> None:
        for path in sorted(self.folder.glob("part-*")):
            number = int(path.name.removeprefix("part-"))
            if not self._shard.takes(number):
                continue
            try:
                self.parts[number] = read_part_file(path)
            except (OSError, ValueError) as error:
                log.warning(f"{path} is damaged ({error}) and is made again")
        if self.parts:
            frames = _counted(self.frames, "frame")
            log.info(f"{self._out}: going on from {frames} that a stopped run left")
        if not (self.folder / _PLAN).exists():
            write_text(self.folder / _PLAN, json.dumps(self._plan, indent=1) + "\n")

    def _say_others(self) -> None:
        """Another command's parts for the same result are its user's: they stay."""
        with suppress(OSError):
            for folder in sorted(self._beside.glob(f".dancepipe-*{_SUFFIX}")):
                plan = _read_plan(folder)
                if folder != self.folder and plan and plan.get("result") == self._out.name:
                    log.warning(
                        f"{folder} holds parts for {self._out} of another command (it differs in "
                        f"{differences(self._plan, plan)}): they are not used and stay for that "
                        "command; remove the folder if you do not want them"
                    )


def _read_plan(folder: Path) -> dict | None:
    try:
        plan = json.loads((folder / _PLAN).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return plan if isinstance(plan, dict) else None


def _counted(count: int, what: str) -> str:
    return f"{count} {what}" if count == 1 else f"{count} {what}s"
