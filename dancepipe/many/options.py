"""The options of animate-many: those of animate, and how the jobs are spread."""

import dataclasses
import os
from dataclasses import dataclass

from dancepipe.cluster.options import RayOptions
from dancepipe.config import option
from dancepipe.errors import ConfigError
from dancepipe.files.lock import Shard
from dancepipe.rendering.options import AnimateOptions


@dataclass(frozen=True)
class AnimateManyOptions(RayOptions, AnimateOptions):
    jobs: int = option(1, "videos made at the same time, each in a process of its own", minimum=1)
    runs_per_video: int = option(
        1,
        "share the parts of each video between so many of them; for few and long videos",
        minimum=1,
    )
    retry: bool = option(False, "try those again that failed before")
    num_shards: int = option(
        0,
        "split the jobs over this many runs that share the folder (0: over the tasks of the SLURM "
        "job array that this is one of, if any)",
        minimum=0,
    )
    shard_index: int = option(
        0, "which of them this run is, from 0 (of a SLURM job array: known)", minimum=0
    )

    def shard(self) -> Shard:
        """Which part of the jobs is this run's. ConfigError."""
        if self.num_shards == 0 and "SLURM_ARRAY_TASK_ID" in os.environ:
            return _of_slurm()
        count = max(1, self.num_shards)
        if self.shard_index >= count:
            raise ConfigError(f"shard_index {self.shard_index} must be below num_shards {count}")
        return Shard(self.shard_index, count)

    def of_one_clip(self) -> dict:
        """The fields of AnimateOptions."""
        names = {field.name for field in dataclasses.fields(AnimateOptions)}
        return {name: value for name, value in vars(self).items() if name in names}


def _of_slurm() -> Shard:
    """By sbatch --array; the ids may begin anywhere and have steps."""
    names = ("ID", "MIN", "STEP", "COUNT")
    texts = [os.environ.get(f"SLURM_ARRAY_TASK_{name}", "1") for name in names]
    try:
        own, least, step, count = map(int, texts)
        index, rest = divmod(own - least, step)
        if rest or not 0 <= index < count:
            raise ValueError
    except (ValueError, ZeroDivisionError):
        said = ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
        raise ConfigError(
            f"SLURM's variables of this job array do not fit together (SLURM_ARRAY_TASK_: {said}); "
            "name this run's part by --num-shards and --shard-index"
        ) from None
    return Shard(index, count)
