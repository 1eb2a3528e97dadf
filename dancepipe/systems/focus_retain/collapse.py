"""The known failure of the flow attention module: A of eq. 2, a softmax over positions, puts all
its mass on one of them and stays there."""

from collections.abc import Mapping

NEARLY_ALL = 0.9


class CollapseWatch:
    """Says it once for each level."""

    def __init__(self, size_hw: tuple[int, int]):
        height, width = size_hw
        self._positions = {
            level: height * width // int(level) ** 2 for level in ("8", "4")
        }  # A is 1 on average: its sum
        self._told: set[str] = set()

    def look(self, step: int, figures: Mapping[str, float]) -> list[str]:
        """What there is to say. figures: as logged, with A_8_max and A_4_max where the network has
        a flow attention module."""
        remarks = []
        for level, positions in self._positions.items():
            share = figures.get(f"A_{level}_max", 0.0) / positions
            if share > NEARLY_ALL and level not in self._told:
                self._told.add(level)
                remarks.append(
                    f"warning: at step {step} the attention at H/{level} has {share:.0%} of its "
                    f"mass on one of {positions} positions: it has collapsed, "
                    "and the masks M no longer see the flow; lower the learning rate, or train "
                    "with --attention gate"
                )
        return remarks
