"""The command line: the library with flags. One file a command; no pixel and no tensor here."""

from dancepipe.cli.command_line import main, run
from dancepipe.cli.options import add_options, parsed_options

__all__ = ["add_options", "main", "parsed_options", "run"]
