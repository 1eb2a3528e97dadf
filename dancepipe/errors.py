"""The error family. Everything a user can cause is a DancepipeError: one line, exit code 2.

Each message says what we got, what we need and what to do. Anything else that
escapes is a bug and keeps its traceback (exit code 1).
"""

from dancepipe.address import public_address, without_secrets


class DancepipeError(Exception):
    """What a user can cause and mend."""

    def __reduce__(self):
        # Python would call the class with the finished message alone; raised in a worker process,
        # the error would not come back.
        return _again, (type(self), self.args, vars(self))


def _again(cls: type[DancepipeError], args: tuple, attributes: dict) -> DancepipeError:
    error = cls.__new__(cls)
    error.args = args
    vars(error).update(attributes)
    return error


def error_of(kind: str, message: str) -> DancepipeError | None:
    """The error that another process told of by its class's name; None for what is none of ours."""
    cls = globals().get(kind)
    if isinstance(cls, type) and issubclass(cls, DancepipeError):
        return _again(cls, (message,), {})
    return None


class BadVideoError(DancepipeError):
    """A file that was to be read as a video and cannot be."""

    def __init__(self, path, reason: str):
        super().__init__(f"cannot read video {path}: {reason}")
        self.path, self.reason = path, reason


class BadImageError(DancepipeError):
    """A file that was to be read as a picture and cannot be."""

    def __init__(self, path, reason: str):
        super().__init__(f"cannot read picture {path}: {reason}")
        self.path, self.reason = path, reason


class FetchError(DancepipeError):
    """A source (URL or path) that could not be turned into a local file. Told without secrets.
    may_pass: another time may help, as the server was busy or the connection failed."""

    def __init__(self, source, reason: str, *, may_pass: bool = False):
        self.source = public_address(str(source))
        self.reason = without_secrets(reason, of=str(source))
        self.may_pass = may_pass
        super().__init__(f"cannot fetch {self.source}: {self.reason}")


class NoPersonError(DancepipeError):
    """No person, or not enough of one, where one is needed."""


class OutputError(DancepipeError):
    """A result that cannot be written: folder not writable, disk full, codec missing."""


class BusyError(OutputError):
    """A place that another process writes to."""


class MissingExtraError(DancepipeError):
    """A package that is not installed; extra None: one of the core, in a damaged installation."""

    def __init__(self, package: str, extra: str | None, purpose: str):
        what = f"dancepipe[{extra}]" if extra else package
        super().__init__(
            f"{purpose} needs the package {package}, which is not installed: pip install '{what}'"
        )
        self.package, self.extra = package, extra


class WeightsError(DancepipeError):
    """Weights that are absent, damaged or of another network."""


class WeightsMissingError(WeightsError):
    """Weights that are needed and not there."""


class ConfigError(DancepipeError):
    """An option or configuration file that does not fit."""


class MotionError(DancepipeError):
    """A driver's motion that is absent, damaged, or of another video."""


class DatasetError(DancepipeError):
    """A data set that is absent, damaged, or has nothing to train on."""


class TrainingDivergedError(DancepipeError):
    """A loss term that is no longer finite; the message names it."""


class ProcessLostError(DancepipeError):
    """A training run on several processes, one of which has ended or does not answer."""


class StudyError(DancepipeError):
    """A study with volunteers that cannot be held or reported: folders that do not match, port
    in use, another study's votes."""
