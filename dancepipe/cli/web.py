"""dancepipe web."""

from dancepipe.cli.options import add_options, parsed_options
from dancepipe.web.options import WebOptions

NAME = "web"
HELP = "a page in the browser: drop in photo and video, watch the result"


def add_flags(parser) -> None:
    parser.add_argument(
        "--empty",
        action="store_true",
        help="remove all uploads, results and waiting jobs from the folder, and end",
    )
    add_options(parser, WebOptions)


def run(parsed) -> None:
    options = parsed_options(parsed)
    if parsed.empty:
        from dancepipe.web.folder import empty, web_folder

        folder = web_folder(options.folder)
        jobs = empty(folder)
        print(f"{folder}: emptied ({jobs} jobs)", flush=True)
        return
    from dancepipe.web.serve import serve

    serve(options)
