"""Where dancepipe keeps what can be had again: the user's cache folder, the user's alone."""

import os
from pathlib import Path


def cache_folder(kind: str) -> Path:
    """For one kind of things, there or not yet: in the folder that DANCEPIPE_CACHE names, else in
    dancepipe/ of the system's cache folder."""
    if own := os.environ.get("DANCEPIPE_CACHE"):
        return Path(own).expanduser() / kind
    shared = os.environ.get("XDG_CACHE_HOME", "")  # to be passed over where it is not absolute
    caches = Path(shared) if os.path.isabs(shared) else Path.home() / ".cache"
    return caches / "dancepipe" / kind
