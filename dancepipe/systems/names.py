"""A system by its name."""

from typing import TYPE_CHECKING

from dancepipe.errors import ConfigError
from dancepipe.files.plain_text import shortened

if TYPE_CHECKING:
    from dancepipe.systems.system import SystemEntry

SYSTEMS = ("focus_retain", "guided", "cocos", "fewshot", "body", "limb_warp", "copy")


def system_of(name: str) -> "SystemEntry":
    """ConfigError for an unknown name. Only the named one is imported."""
    match name:
        case "focus_retain":
            from dancepipe.systems.focus_retain.entry import ENTRY
        case "guided":
            from dancepipe.systems.guided.entry import ENTRY
        case "cocos":
            from dancepipe.systems.cocos.entry import ENTRY
        case "fewshot":
            from dancepipe.systems.fewshot.entry import ENTRY
        case "body":
            from dancepipe.systems.body import ENTRY
        case "copy":
            from dancepipe.systems.copy import ENTRY
        case "limb_warp":
            from dancepipe.systems.limb_warp import ENTRY
        case _:
            raise ConfigError(f"unknown system {shortened(name)}; known are {', '.join(SYSTEMS)}")
    return ENTRY
