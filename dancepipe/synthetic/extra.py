"""What rendering needs beyond the core, asked for before anything of it is imported."""

import importlib

from dancepipe.errors import MissingExtraError


def require_extra() -> None:
    """MissingExtraError when numba or scipy is not installed."""
    for package in ("numba", "scipy"):
        try:
            importlib.import_module(package)
        except ImportError as error:
            raise MissingExtraError(package, "dancers", "rendering dancers") from error
