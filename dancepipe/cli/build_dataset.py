"""dancepipe build-dataset."""

from pathlib import Path

from dancepipe.building.options import BuildDatasetOptions
from dancepipe.cli.options import add_json, add_options, parsed_options
from dancepipe.cli.screen import show
from dancepipe.doors import build_dataset

NAME = "build-dataset"
HELP = "dance videos, or photos -> person-split, pose-labelled Parquet data set"


def add_flags(parser) -> None:
    parser.add_argument(
        "sources",
        nargs="+",
        metavar="SOURCE",
        help="URL, video file, folder of videos, folder of one person's photos, or a .txt of "
        "those (one a line)",
    )
    parser.add_argument("-o", "--out", type=Path, required=True, help="folder of the data set")
    add_json(parser)
    add_options(parser, BuildDatasetOptions)


def run(parsed) -> int:
    summary = build_dataset(parsed.sources, parsed.out, parsed_options(parsed))
    show(
        f"{parsed.out}: {summary.clips_written} clips written ({summary.frames_written} "
        f"pictures), {summary.clips_already_there} already there, "
        + (f"{summary.copies} copies put aside, " if summary.copies else "")
        + f"{summary.failures} of {summary.sources} sources failed; {summary.seconds:.0f} s"
        + _what_to_do(summary, parsed.out),
        summary,
        as_json=parsed.json,
    )
    return 2 if summary.failures and summary.failures == summary.sources else 0


def _what_to_do(summary, out: Path) -> str:
    """About the failures; empty where there are none."""
    for_now = summary.failures_for_now
    others = summary.failures - for_now
    told = []
    if for_now:
        told.append(f"{for_now} failed for now (server busy, or not reached): run this again")
    if others:
        told.append(
            f"{others} failed, see {out}/failures*.jsonl: run this again when their files are "
            "mended, or with --retry-failed"
        )
    return "".join(f"\n{line}" for line in told)
