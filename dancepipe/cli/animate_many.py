"""dancepipe animate-many."""

import json
from pathlib import Path

from dancepipe.cli.options import add_options, parsed_options
from dancepipe.cli.screen import show
from dancepipe.errors import ConfigError
from dancepipe.many.options import AnimateManyOptions

NAME = "animate-many"
HELP = "a list of photos and videos -> many videos; may be killed and goes on"


def add_flags(parser) -> None:
    parser.add_argument(
        "list",
        nargs="?",
        type=Path,
        metavar="JOBS",
        help=".csv or .yaml with ref, driver and perhaps out, weights and options of animate for "
        "each video; or --refs and --drivers",
    )
    parser.add_argument(
        "--refs",
        type=Path,
        metavar="DIR",
        help="folder of photos, one person each; in folders inside: photos of one person each",
    )
    parser.add_argument(
        "--drivers", type=Path, metavar="DIR", help="folder of videos; each person dances each"
    )
    parser.add_argument(
        "-o",
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the results, of the ledger, and of status.html, which shows it",
    )
    parser.add_argument("-w", "--weights", type=Path, help="as of animate, for jobs that name none")
    parser.add_argument(
        "--json",
        action="store_true",
        help="print what happens as one JSON object a line; the last one is the summary",
    )
    add_options(parser, AnimateManyOptions)


def run(parsed) -> int:
    from dancepipe.many.animate_many import animate_many

    if parsed.list is not None and (parsed.refs or parsed.drivers):
        raise ConfigError(f"{parsed.list} is a list already; leave --refs and --drivers out")
    summary = animate_many(
        parsed.list,
        parsed.out,
        parsed.weights,
        parsed_options(parsed),
        refs=parsed.refs,
        drivers=parsed.drivers,
        on_event=_print if parsed.json else None,
    )
    show(summary.text(), summary, as_json=parsed.json)
    return 2 if summary.failed else 0


def _print(event: dict) -> None:
    print(json.dumps(event), flush=True)
