"""best/stageN.safetensors: the averaged weights that read best so far, by the pose
reconstruction error of held-out people."""

import json
from contextlib import suppress
from pathlib import Path

from torch import nn

from dancepipe.files.whole_file import write_text
from dancepipe.systems.weights import WeightsInfo, save_weights

JUDGED_BY = "held_out_pre"  # px; lower is better


class BestWeights:
    """Of one stage. lowest: what was reached before, of which the file is already there; None:
    nothing."""

    def __init__(self, out: Path, stage: int, lowest: float | None):
        self._folder, self._stage = Path(out) / "best", stage
        self._lowest = float("inf") if lowest is None else lowest

    def offer(
        self, figures: dict[str, float], info: WeightsInfo, networks: dict[str, nn.Module]
    ) -> None:
        """Keeps the networks, and beside them their figures, when they are better. Raises
        OutputError; what was there stays whole then."""
        value = figures.get(JUDGED_BY)
        if value is None or value >= self._lowest:
            return
        self._lowest = value
        with suppress(OSError):  # writing says it
            self._folder.mkdir(exist_ok=True)
        save_weights(self._folder / f"stage{self._stage}.safetensors", info, networks)
        write_text(
            self._folder / f"stage{self._stage}.json",
            json.dumps({"stage": self._stage, "step": info.step, **figures}, indent=2) + "\n",
        )
