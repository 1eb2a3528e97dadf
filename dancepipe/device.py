"""Which device a run uses, decided once and said aloud."""

import logging

from dancepipe.errors import ConfigError

log = logging.getLogger(__name__)


def pick_device(name: str) -> str:
    """'auto' -> cuda when there is one, else cpu; any other name must exist. Raises ConfigError."""
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ConfigError(f"unknown device '{name}'; use auto, cpu, cuda or cuda:N") from None
    if device.type == "cuda":
        if not torch.cuda.is_available():
            raise ConfigError(
                f"device '{name}' was asked for, but torch sees no CUDA GPU; use --device cpu, "
                "or see dancepipe doctor"
            )
        if (device.index or 0) >= torch.cuda.device_count():
            raise ConfigError(
                f"device '{name}' was asked for, but there are {torch.cuda.device_count()} GPUs"
            )
        log.info(f"device: {name} ({torch.cuda.get_device_name(device)})")
    elif device.type == "cpu":
        log.info(f"device: cpu ({torch.get_num_threads()} threads)")
    else:
        raise ConfigError(f"device '{name}' is not supported; use auto, cpu, cuda or cuda:N")
    return name
