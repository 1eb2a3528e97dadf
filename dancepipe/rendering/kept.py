"""What a run keeps beside its result until that is whole: its plan, the driver's motion, and the
parts that are done.

A hidden folder, whose name follows from the plan: another plan has another one, so that nothing of
two runs is mixed. It goes when the result is there. Whoever writes in it holds the result's lock.
"""

import json
import logging
import os
import shutil
from contextlib import suppress
from pathlib import Path

from dancepipe.errors import DancepipeError, OutputError
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

    def __init__(self, out: Path, plan: dict):
        """OutputError when the folder cannot be made."""
        self._out, self._plan = out, plan
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

    def __enter__(self) -> "KeptRun":
        return self

    def __exit__(self, kind, *_) -> None:
        if kind is None or not self.folder.exists():
            return
        pieces = len(list(self.folder.glob("motion-*.npz")))
        # A driver without anybody is no better the next time; a full disk is.
        is_hopeless = issubclass(kind, DancepipeError) and not issubclass(kind, OutputError)
        if not self.parts and (is_hopeless or pieces <= 1):  # one is found again in seconds
            shutil.rmtree(self.folder, ignore_errors=True)
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

    def _read(self) -> None:
        for path in sorted(self.folder.glob("part-*")):
            try:
                self.parts[int(path.name.removeprefix("part-"))] = read_part_file(path)
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
