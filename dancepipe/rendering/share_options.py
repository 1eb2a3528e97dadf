"""The options of the command animate: those of a clip, and how several runs share it."""

from dataclasses import dataclass, fields

from dancepipe.config import option, options_with
from dancepipe.errors import ConfigError
from dancepipe.files.lock import Shard
from dancepipe.rendering.options import AnimateOptions


@dataclass(frozen=True)
class ShareOptions(AnimateOptions):
    devices: str = option(
        "",
        "several devices, as cuda:0,cuda:1: a process on each, and they share the parts of the "
        "video (in place of device)",
    )
    num_shards: int = option(
        1,
        "share the parts of the video between this many runs, on machines that see the same disk; "
        "the one that ends last writes it",
        minimum=1,
    )
    shard_index: int = option(0, "which of them this run is, from 0", minimum=0)

    @classmethod
    def of(cls, options: AnimateOptions | None) -> "ShareOptions | None":
        """Those of a clip that nobody shares. ConfigError for options of another kind."""
        if options is None or isinstance(options, cls):
            return options
        options = options_with(AnimateOptions, options, {}, "animate")
        return cls(**{field.name: getattr(options, field.name) for field in fields(AnimateOptions)})

    def shard(self) -> Shard:
        """Which of the runs this is. ConfigError."""
        if self.shard_index >= self.num_shards:
            raise ConfigError(
                f"shard_index {self.shard_index} must be below num_shards {self.num_shards}"
            )
        return Shard(self.shard_index, self.num_shards)

    def device_names(self) -> list[str]:
        """Of `devices`; empty where none are named. ConfigError for those that cannot share."""
        names = [name.strip() for name in self.devices.split(",") if name.strip()]
        kinds = {name.partition(":")[0] for name in names}
        if len(kinds) > 1 or kinds - {"cpu", "cuda"}:
            raise ConfigError(
                f"devices '{self.devices}' cannot share a video, as each kind of device rounds in "
                "its own way; name several of one kind: cuda:0,cuda:1 or cpu,cpu"
            )
        if names and self.device != AnimateOptions.device:
            raise ConfigError("device and devices are both given; name one of them")
        return names

    def of_one_clip(self) -> dict:
        """The fields of AnimateOptions."""
        return {field.name: getattr(self, field.name) for field in fields(AnimateOptions)}
