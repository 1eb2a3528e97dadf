"""The one writer of files: a result is whole or absent, and nothing of the user's is touched.

The bytes go into a file of a short random name in the target's folder, made with O_EXCL, so that
no file that is there can be meant. It is synced, put under its name in one step, and the folder is
synced after it. What a killed process leaves is removed by the next one that writes into the same
folder: those files alone that carry our name and that no living process holds.
"""

import errno
import os
import re
import secrets
import shutil
import zlib
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dancepipe.errors import OutputError
from dancepipe.files.stops import stops_wait

try:
    import fcntl
except ImportError:  # Windows, where a file that is open cannot be removed anyway
    fcntl = None

_OURS = re.compile(r"\.dancepipe-([0-9a-f]{8,12})([0-9a-f]{4})\.(?:part|lock)")
_swept: set[str] = set()  # a folder of 100,000 clips is not looked through at each of them


class WholeFile:
    """A file on its way. `part` is where its bytes go; publish() or discard() ends it.

    path: where it shall appear; symbolic links are followed. overwrite: whether a file that is
    there may be replaced. private: nobody but the user may read it.
    OutputError when the folder is not there or cannot be written.
    """

    def __init__(self, path: Path | str, *, overwrite: bool, private: bool = False):
        self.path, self._overwrite = Path(path), overwrite
        self._target = Path(os.path.realpath(self.path))
        self._held: int | None = None
        self._process = os.getpid()
        _check_place(self.path, self._target)
        try:
            _remove_leftovers_once(self._target.parent)
            with stops_wait():
                self.part, self._held = _reserved(
                    self._target.parent, _new_private_file if private else _new_file
                )
        except OSError as error:
            raise self._failure(error) from error

    def __enter__(self) -> "WholeFile":
        return self

    def __exit__(self, kind, error, _) -> None:
        if kind is None:
            self.publish()
            return
        self.discard()
        if isinstance(error, OSError):
            raise self._failure(error) from error

    def __del__(self) -> None:
        # A stop came before the with-block had begun.
        if self._held is not None and self._process == os.getpid():
            self.discard()

    def fill(self, data: bytes) -> None:
        """Write all of it, and see it on the disk. OutputError."""
        try:
            with open(self.part, "wb") as out:
                out.write(data)
            _sync(self.part)
        except OSError as error:
            raise self._failure(error) from error

    def publish(self) -> None:
        """Sync the bytes and put them under `path`, in one step. OutputError.

        A file that came to be there meanwhile is not replaced without `overwrite`; the new one then
        stays beside it under a name that the error tells.
        """
        try:
            _sync(self.part)
            if fcntl is None:
                self._let_go()  # Windows renames no file that is open
            if self._overwrite:
                os.replace(self.part, self._target)
            else:
                self._put_where_nothing_is()
            sync_folder(self._target.parent)
        except OSError as error:
            raise self._failure(error) from error
        finally:
            self.discard()

    def discard(self) -> None:
        """Remove what was written; harmless after publish()."""
        with suppress(OSError):
            self.part.unlink(missing_ok=True)
        self._let_go()

    def _let_go(self) -> None:
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _put_where_nothing_is(self) -> None:
        try:
            _move_without_replacing(self.part, self._target)
            return
        except FileExistsError:
            pass
        # A name has 255 bytes at most.
        stem = os.fsencode(self._target.stem)[:200].decode("utf-8", "ignore")
        for number in range(2, 1000):
            free = self._target.with_name(f"{stem}-{number}{self._target.suffix}")
            with suppress(FileExistsError):
                _move_without_replacing(self.part, free)
                raise OutputError(
                    f"{self.path} came to be there meanwhile and was not replaced; "
                    f"the result is whole and lies at {free}"
                )

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(
            f"cannot write {self.path}: {error.strerror or error}; "
            "free some space, or choose a folder that you may write to"
        )


def write_bytes(path: Path | str, data: bytes) -> None:
    """Put `data` under `path`, in place of what is there; its folder is made. OutputError."""
    write_together({path: data}, overwrite=True)


def write_text(path: Path | str, text: str) -> None:
    """Put `text` (UTF-8) under `path`, in place of what is there; its folder is made.
    OutputError."""
    write_together({path: text}, overwrite=True)


def write_together(contents: Mapping[Path | str, bytes | str], *, overwrite: bool) -> None:
    """Several files that belong together: none appears before the bytes of all are on the disk.

    OutputError. Their folders are made. The last one named appears last.
    """
    files: list[WholeFile] = []
    try:
        for path, content in contents.items():
            make_folder(Path(path).parent)
            files.append(file := WholeFile(path, overwrite=overwrite))
            file.fill(content.encode("utf-8") if isinstance(content, str) else content)
        for file in files:
            file.publish()
    finally:
        for file in files:
            file.discard()


@contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """with-block: a folder to fill that appears under `path` when the block ends well, in its
    stead.

    Everything in it is synced first. An exception leaves what was there. OutputError.
    """
    path = Path(path)
    make_folder(path.parent)
    part = held = None
    try:
        _remove_leftovers_once(path.parent)
        with stops_wait():
            part, held = _reserved(path.parent, _new_folder)
        yield part
        for inside in part.rglob("*"):
            if inside.is_file():
                _sync(inside)
        sync_folder(part)
        shutil.rmtree(path, ignore_errors=True)
        os.replace(part, path)
        sync_folder(path.parent)
    except OSError as error:
        raise OutputError(
            f"cannot write {path}: {error.strerror or error}; "
            "free some space, or choose a folder that you may write to"
        ) from error
    finally:
        if part is not None and held is not None:
            shutil.rmtree(part, ignore_errors=True)
            os.close(held)


def check_result(path: Path | str, *, overwrite: bool, inputs: Iterable[Path | str | None]) -> None:
    """Before long work: may the file `path` be made? OutputError says why not; makes nothing.

    overwrite: whether one that is there may be replaced. inputs: the files that it is made from
    (None is passed over); those are never replaced.
    """
    target = Path(os.path.realpath(path))
    _check_place(path, target)
    if not os.access(target.parent, os.W_OK):
        raise OutputError(
            f"cannot write {path}: the folder {target.parent} is read-only for you; "
            "choose one that you may write to"
        )
    if not os.path.exists(target):
        return
    for given in inputs:
        if given is not None and os.path.exists(given) and os.path.samefile(target, given):
            raise OutputError(f"{path} would replace an input; choose another name for the result")
    if not os.path.isfile(target):
        raise OutputError(f"cannot write {path}: it is no plain file; choose another name")
    if not overwrite:
        raise OutputError(
            f"{path} is there already; choose another name, or replace it with --overwrite"
        )


def _check_place(path: Path | str, target: Path) -> None:
    """Whether a file of that name can be in that folder. OutputError."""
    if os.path.isdir(target):
        raise OutputError(f"cannot write {path}: it is a folder; name a file")
    if not os.path.isdir(target.parent):
        raise OutputError(f"cannot write {path}: there is no folder {target.parent}; make it first")
    try:
        os.lstat(target)
    except FileNotFoundError:
        pass
    except OSError as error:  # a name that is too long
        raise OutputError(
            f"cannot write {path}: {error.strerror}; choose another name for the result"
        ) from error


def make_folder(folder: Path, *, private: bool = False) -> None:
    """The folder, and those above it, where they are not there yet. OutputError.

    private: it is in the cache, and those that are made are the user's alone.
    """
    folder = Path(folder)
    advice = (
        "name another by DANCEPIPE_CACHE" if private else "choose a folder that you may write to"
    )
    for one in reversed((folder, *folder.parents)):
        if os.path.isdir(one):
            continue
        try:
            one.mkdir(mode=0o700 if private else 0o777, exist_ok=True)
        except FileExistsError as error:
            raise OutputError(f"cannot write to {folder}: {one} is a file; {advice}") from error
        except OSError as error:
            reason = error.strerror or error
            raise OutputError(f"cannot write to {folder}: {reason}; {advice}") from error


def remove_leftovers(folder: Path) -> None:
    """Remove from the folder what a killed dancepipe left there; what a living one holds stays."""
    with suppress(OSError):  # a folder that cannot be looked into: writing says it
        for entry in list(os.scandir(folder)):
            if _is_ours(entry.name) and not entry.is_symlink():
                _remove_unless_held(entry.path, entry.is_dir())


def _remove_leftovers_once(folder: Path) -> None:
    name = os.path.realpath(folder)
    if name not in _swept:
        _swept.add(name)
        remove_leftovers(folder)


def sync_folder(folder: Path) -> None:
    """Make the names in it last through a power cut, where the system can say so."""
    with suppress(OSError):  # some file systems, and Windows, cannot sync a folder
        _sync(folder)


def name_of_ours(digits: str, suffix: str) -> str:
    """A hidden file's name that nobody else makes. digits: 8 to 12 hexadecimal ones."""
    return f".dancepipe-{digits}{zlib.crc32(digits.encode()) & 0xFFFF:04x}{suffix}"


def _is_ours(name: str) -> bool:
    found = _OURS.fullmatch(name)
    return bool(found) and name_of_ours(found[1], name[-5:]) == name


def _reserved(folder: Path, make) -> tuple[Path, int]:
    """A new place of our name, and the descriptor that shows others that it is in use."""
    while True:
        part = folder / name_of_ours(secrets.token_hex(4), ".part")
        try:
            held = make(part)
        except FileExistsError:
            continue
        # Between making and holding it, another process may have taken it for a leftover.
        if _hold(held) and _is_there(part, held):
            return part, held
        os.close(held)


def _new_file(part: Path) -> int:
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)  # less the user's umask


def _new_private_file(part: Path) -> int:
    return os.open(part, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)


def _new_folder(part: Path) -> int:
    os.mkdir(part)
    return os.open(part, os.O_RDONLY) if fcntl else os.open(os.devnull, os.O_RDONLY)


def _hold(descriptor: int) -> bool:
    """False when another process holds it. Where nothing can be held, nothing is taken away."""
    if fcntl is None:
        return True
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True  # a file system without locks
    return True


def _is_there(part: Path, descriptor: int) -> bool:
    try:
        there, own = os.stat(part), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return fcntl is None or (there.st_dev, there.st_ino) == (own.st_dev, own.st_ino)


def _remove_unless_held(path: str, is_folder: bool) -> None:
    with suppress(OSError):  # gone already, another user's, or a file system without locks
        if fcntl is None:
            shutil.rmtree(path) if is_folder else os.unlink(path)
            return
        held = os.open(path, (os.O_RDONLY if is_folder else os.O_RDWR) | os.O_NOFOLLOW)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path) if is_folder else os.unlink(path)
        finally:
            os.close(held)


def _move_without_replacing(part: Path, target: Path) -> None:
    """FileExistsError when something is there."""
    try:
        os.link(part, target)
    except OSError as error:
        if isinstance(error, FileExistsError):
            raise
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from error
        os.rename(part, target)  # a file system without hard links


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY if fcntl or path.is_dir() else os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
