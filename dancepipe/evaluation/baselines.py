"""What learns nothing: any model must beat these."""

from dancepipe.errors import ConfigError
from dancepipe.evaluation.options import BASELINES
from dancepipe.systems.open import open_unlearnt
from dancepipe.systems.system import System


def open_baseline(name: str, device: str) -> System:
    """The system behind one of BASELINES. ConfigError for another name."""
    if name not in BASELINES:
        raise ConfigError(f"unknown baseline '{name}'; known are: {', '.join(BASELINES)}")
    return open_unlearnt(name.replace("-", "_"), device)
