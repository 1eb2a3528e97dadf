"""The options of whatever can be spread over a cluster."""

from dataclasses import dataclass, fields

from dancepipe.config import option


@dataclass(frozen=True)
class RayOptions:
    ray: str | None = option(
        None,
        "work on a Ray cluster (extra ray) that is there: auto, this machine's, or ADDRESS as Ray "
        "names it; its machines see the same files under the same names",
    )
    ray_workers: int = option(
        0, "workers on the cluster (0: as many as its machines have room for)", minimum=0
    )
    ray_cpus: float = option(1.0, "processors that a worker takes", minimum=0)
    ray_gpus: float = option(0.0, "GPUs that a worker takes: 1, or .25 for four a GPU", minimum=0)
    ray_memory_gb: float = option(
        0.0, "memory that a worker asks for, in 10^9 bytes (0: it does not ask)", minimum=0
    )


NAMES = tuple(field.name for field in fields(RayOptions))
