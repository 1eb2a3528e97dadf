"""dancepipe inspect."""

from pathlib import Path

from dancepipe.cli.options import add_json
from dancepipe.cli.screen import show

NAME = "inspect"
HELP = "what a data set holds, and whether it is whole"


def add_flags(parser) -> None:
    parser.add_argument("data", type=Path, metavar="DIR", help="folder of a data set")
    parser.add_argument("-o", "--out", type=Path, help="contact sheet to write (JPEG)")
    parser.add_argument(
        "--all", action="store_true", help="decode every picture, not 600 spread over all"
    )
    add_json(parser)


def run(parsed) -> int:
    from dancepipe.data.inspect import inspect_dataset

    facts = inspect_dataset(parsed.data, sheet=parsed.out, all_rows=parsed.all)
    show(facts.text(), facts, as_json=parsed.json)
    return 2 if facts.broken or facts.in_both_splits else 0
