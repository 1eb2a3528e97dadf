"""Arguments -> one command -> exit code."""

import argparse
import os
import signal
import sys

from dancepipe import __version__
from dancepipe.cli import (
    animate,
    animate_many,
    build_dataset,
    compact,
    dancers,
    doctor,
    evaluate,
    export,
    inspect,
    models,
    motion,
    study,
    train,
    web,
    weights,
)
from dancepipe.cli.arguments import Parser, check_known
from dancepipe.cli.options import data_place
from dancepipe.cli.screen import on_screen
from dancepipe.errors import ConfigError, DancepipeError

COMMANDS = (
    build_dataset,
    inspect,
    compact,
    train,
    animate,
    animate_many,
    motion,
    web,
    dancers,
    evaluate,
    study,
    export,
    models,
    weights,
    doctor,
)

USER_ERROR = 2
INTERRUPTED = 130  # 128 + SIGINT
TERMINATED = 143  # 128 + SIGTERM


class Terminated(KeyboardInterrupt):
    """SIGTERM came. Whatever cleans up after Ctrl-C cleans up after this."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit code: 0 done, 2 a user can mend it, 130 Ctrl-C, 143
    SIGTERM. Bugs keep their traceback (1)."""
    try:
        parsed = parsed_arguments(sys.argv[1:] if arguments is None else arguments)
        limit_threads(parsed.threads)
        with on_screen(quiet=parsed.quiet):
            return parsed.run(parsed) or 0
    except DancepipeError as error:
        print(f"dancepipe: {error}", file=sys.stderr)
        return USER_ERROR
    except KeyboardInterrupt as stop:
        print(
            "dancepipe: interrupted; nothing half-written was left, the same command goes on "
            "from what is whole",
            file=sys.stderr,
        )
        return TERMINATED if isinstance(stop, Terminated) else INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return INTERRUPTED


def run() -> None:
    """What the installed command and `python -m dancepipe` call: main, and the exit. SIGTERM
    ends a run as cleanly as Ctrl-C."""
    signal.signal(signal.SIGTERM, _terminate)
    code = main()
    if code in (INTERRUPTED, TERMINATED):
        sys.stderr.flush()
        os._exit(code)  # native threads that were just being started would abort an ordinary exit
    sys.exit(code)


def parsed_arguments(arguments: list[str]) -> argparse.Namespace:
    """The flags of the command, and the command itself as `run`. Raises ConfigError; --help and
    --version print and exit."""
    parser = Parser(
        prog="dancepipe",
        description="One photo and one dance video in, a video of that person dancing out.",
    )
    parser.add_argument("--version", action="version", version=f"dancepipe {__version__}")
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    for command in COMMANDS:
        one = commands.add_parser(command.NAME, help=command.HELP)
        command.add_flags(one)
        one.add_argument(
            "-q", "--quiet", action="store_true", help="no status and no bars, warnings alone"
        )
        one.add_argument(
            "--threads",
            type=int,
            metavar="N",
            help="threads of the arithmetic (default: one a core; video codecs take their own)",
        )
        one.set_defaults(run=command.run)
    check_known(parser, commands.choices, arguments)
    parsed, rest = parser.parse_known_args(arguments)
    if rest and not hasattr(parsed, "files"):
        raise ConfigError(f"{rest[0]} is one argument too many; see dancepipe --help")
    if rest:  # argparse takes only those places that stand side by side
        parsed.files += map(data_place, rest)
    return parsed


def limit_threads(count: int | None) -> None:
    """Torch, OpenCV and numba read it when they are loaded; torch that is here already is told."""
    if count is None:
        return
    if count < 1:
        raise ConfigError(f"--threads needs a number of at least 1, got {count}")
    for name in ("OMP_NUM_THREADS", "OPENCV_FOR_THREADS_NUM", "NUMBA_NUM_THREADS"):
        os.environ[name] = str(count)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(count)


def _terminate(*_) -> None:
    raise Terminated
