"""dancepipe compact."""

from pathlib import Path

from dancepipe.cli.options import add_json
from dancepipe.cli.screen import show

NAME = "compact"
HELP = "the clip files of a data set -> few large files, for a hub or another loader"


def add_flags(parser) -> None:
    parser.add_argument("data", type=Path, metavar="DIR", help="folder of a data set")
    parser.add_argument("-o", "--out", type=Path, required=True, help="new folder to write")
    parser.add_argument(
        "--rows-per-shard", type=int, default=4096, metavar="N", help="pictures a file (4096)"
    )
    add_json(parser)


def run(parsed) -> None:
    from dancepipe.data.compact import compact

    summary = compact(parsed.data, parsed.out, rows_per_shard=parsed.rows_per_shard)
    show(
        f"{parsed.out}: {summary.rows} pictures of {summary.files_read} files in {summary.shards}",
        summary,
        as_json=parsed.json,
    )
