"""dancepipe dancers."""

import argparse
from pathlib import Path

from dancepipe.cli.options import add_json, add_options, parsed_options
from dancepipe.cli.screen import show
from dancepipe.filming.options import RenderDancersOptions

NAME = "dancers"
HELP = "render people with exact truth, as a data set"


def add_flags(parser) -> None:
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the data set")
    add_json(parser)
    add_options(parser, RenderDancersOptions)
    parser.add_argument(
        "--size",
        dest="option:size_px",
        default=argparse.SUPPRESS,
        metavar="N",
        help="the same as --size-px",
    )


def run(parsed) -> None:
    options = parsed_options(parsed)
    from dancepipe.filming.render_dancers import render_dancers

    summary = render_dancers(parsed.out, options)
    show(
        f"{parsed.out}: {summary.identities_written} people written ({summary.frames_written} "
        "pictures), "
        f"{summary.identities_already_there} already there; {summary.seconds:.0f} s",
        summary,
        as_json=parsed.json,
    )
