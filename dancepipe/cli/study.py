"""dancepipe study."""

from pathlib import Path

from dancepipe.cli.options import add_json, add_options, parsed_options
from dancepipe.cli.screen import show
from dancepipe.errors import ConfigError
from dancepipe.study.options import StudyOptions

NAME = "study"
HELP = "which one is the real photograph? a page for volunteers, and its JND table"


def add_flags(parser) -> None:
    parser.add_argument("--real", type=Path, help="folder of real pictures")
    parser.add_argument(
        "--fake",
        action="append",
        metavar="NAME=DIR",
        help="a method and its folder of made pictures; may be repeated",
    )
    parser.add_argument(
        "--database",
        type=Path,
        default=Path("votes.sqlite"),
        help="SQLite file of the votes, begun or gone on with (default votes.sqlite)",
    )
    parser.add_argument(
        "--report",
        nargs="?",
        const=True,
        metavar="DATABASE",
        help="print the JND table of --database, or of the one named here, instead of serving "
        "the page",
    )
    add_json(parser)
    add_options(parser, StudyOptions)


def run(parsed) -> None:
    options = parsed_options(parsed)
    if parsed.report:
        from dancepipe.study.report import study_report

        report = study_report(parsed.database if parsed.report is True else Path(parsed.report))
        show(report.text(), report, as_json=parsed.json)
        return
    missing = [flag for flag in ("real", "fake") if not getattr(parsed, flag)]
    if missing:
        raise ConfigError(f"study needs --{', --'.join(missing)} (or --report)")
    from dancepipe.study.pairs import named_folders
    from dancepipe.study.study import study

    summary = study(parsed.real, named_folders(parsed.fake), parsed.database, options)
    show(
        f"{parsed.database}: {summary.votes} votes of {summary.volunteers} volunteers, "
        f"{summary.finished} of them finished",
        summary,
        as_json=parsed.json,
    )
