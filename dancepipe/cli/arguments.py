"""argparse with errors of one line, and the nearest name for one that nobody knows."""

import argparse
import difflib
import re
from collections.abc import Collection, Mapping

from dancepipe.errors import ConfigError

_NUMBER = re.compile(r"-\.?\d")


class Parser(argparse.ArgumentParser):
    """Flags are written out; what does not fit raises ConfigError."""

    def __init__(self, **settings):
        super().__init__(allow_abbrev=False, **settings)

    def error(self, message: str):
        raise ConfigError(f"{message}; see {self.prog} --help")

    def known_flags(self) -> list[str]:
        """Every way to write one."""
        return list(self._option_string_actions)


class Once(argparse.Action):
    """The value of a flag that may be given once: argparse would drop all but the last."""

    def __call__(self, parser, namespace, values, option_string=None):
        before = getattr(namespace, self.dest)
        if before is not None:
            parser.error(f"{option_string} is given twice, {before} and {values}; name one")
        setattr(namespace, self.dest, values)


def check_known(parser: Parser, commands: Mapping[str, Parser], arguments: list[str]) -> None:
    """Before argparse looks, which names what is missing first. ConfigError for a command or a
    flag that nobody knows."""
    for place, word in enumerate(arguments):
        if word.startswith("-"):
            if _flag(word) not in parser.known_flags():
                raise _unknown("option", _flag(word), parser.known_flags(), "dancepipe --help")
        elif word not in commands:
            raise _unknown("command", word, commands, "dancepipe --help")
        else:
            _check_flags(commands[word], arguments[place + 1 :])
            return


def _check_flags(parser: Parser, arguments: list[str]) -> None:
    known = parser.known_flags()
    for word in arguments:
        if word == "--":
            return
        if len(word) < 2 or not word.startswith("-") or _NUMBER.match(word):
            continue
        # -ofile and -qo are ways to write -o file and -q -o
        if _flag(word) not in known and not (word[1] != "-" and word[:2] in known):
            raise _unknown("option", _flag(word), known, f"{parser.prog} --help")


def _flag(word: str) -> str:
    return word.split("=", 1)[0]


def _unknown(what: str, name: str, known: Collection[str], listed: str) -> ConfigError:
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    hint = f"did you mean {near[0]}?" if near else f"{listed} names them all"
    return ConfigError(f"unknown {what} {name}; {hint}")
