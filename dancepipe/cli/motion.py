"""dancepipe motion."""

from pathlib import Path

from dancepipe.cli.arguments import Once
from dancepipe.cli.options import add_json, add_options, data_place, parsed_options
from dancepipe.cli.screen import show
from dancepipe.errors import ConfigError
from dancepipe.rendering.motion_options import MotionOptions

NAME = "motion"
HELP = "driver video -> its motion, for animate --motion with any number of photos"


def add_flags(parser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        type=data_place,
        metavar="DRIVER",
        help="video of the dance, or its http(s) address",
    )
    parser.add_argument("-o", "--out", type=Path, action=Once, help="result: a file named .motion")
    add_json(parser)
    add_options(parser, MotionOptions)


def run(parsed) -> None:
    options = parsed_options(parsed)
    if len(parsed.files) != 1 or parsed.out is None:
        raise ConfigError(
            "motion needs one video and -o, the file to write; for example: "
            "dancepipe motion dance.mp4 -o dance.motion"
        )
    from dancepipe.rendering.find_motion import motion

    summary = motion(parsed.files[0], parsed.out, options)
    show(summary.text(), summary, as_json=parsed.json)
