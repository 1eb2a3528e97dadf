"""What lies beside the clips when a run has ended: test pairs, index, report, data-set card."""

import logging
from pathlib import Path

from dancepipe.building.options import BuildDatasetOptions
from dancepipe.building.pairs import HARD_FILE, PAIRS_FILE, write_pairs
from dancepipe.building.report import write_report
from dancepipe.building.settle import Settled
from dancepipe.data.card import write_card
from dancepipe.data.index import INDEX_FILE, write_index

log = logging.getLogger(__name__)


def finish(
    out: Path, settled: Settled, options: BuildDatasetOptions, *, seconds: float, sources_done: int
) -> None:
    """seconds, sources_done: of this run, for the report. DatasetError, OutputError."""
    kept = [clip for clip in settled.clips if clip.copy_of is None]
    if kept:
        write_index(out)
        write_card(out)
    else:
        (Path(out) / INDEX_FILE).unlink(missing_ok=True)
    if kept and options.test_pairs:
        pairs, hard = write_pairs(out, options.test_pairs)
        if pairs:
            log.info(f"{out}: {pairs} test pairs in {PAIRS_FILE}, {hard} of them in {HARD_FILE}")
    write_report(out, settled, seconds=seconds, sources_done=sources_done)
