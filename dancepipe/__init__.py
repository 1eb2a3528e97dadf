"""dancepipe: one photo and one dance video in, a video of that person dancing out.

    import dancepipe
    dancepipe.animate("me.jpg", "dance.mp4", "out.mp4", background="black")

Nothing is loaded before it is used. What a run has to say goes to the logger "dancepipe".
"""

import importlib
import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dancepipe.building.options import BuildDatasetOptions
    from dancepipe.doors import build_dataset, evaluate, find_people, train
    from dancepipe.errors import DancepipeError
    from dancepipe.evaluation.options import EvaluateOptions
    from dancepipe.many.animate_many import animate_many
    from dancepipe.many.options import AnimateManyOptions
    from dancepipe.rendering.animate import animate
    from dancepipe.rendering.find_motion import motion
    from dancepipe.rendering.motion_options import MotionOptions
    from dancepipe.rendering.options import AnimateOptions
    from dancepipe.rendering.preview import preview
    from dancepipe.rendering.session import Session
    from dancepipe.training.options import TrainOptions

__version__ = "0.1.0"

__all__ = [
    "AnimateManyOptions",
    "AnimateOptions",
    "BuildDatasetOptions",
    "DancepipeError",
    "EvaluateOptions",
    "MotionOptions",
    "Session",
    "TrainOptions",
    "__version__",
    "animate",
    "animate_many",
    "build_dataset",
    "evaluate",
    "find_people",
    "motion",
    "preview",
    "train",
]

_HOMES = {
    "AnimateManyOptions": "dancepipe.many.options",
    "AnimateOptions": "dancepipe.rendering.options",
    "BuildDatasetOptions": "dancepipe.building.options",
    "DancepipeError": "dancepipe.errors",
    "EvaluateOptions": "dancepipe.evaluation.options",
    "MotionOptions": "dancepipe.rendering.motion_options",
    "Session": "dancepipe.rendering.session",
    "TrainOptions": "dancepipe.training.options",
    "animate": "dancepipe.rendering.animate",
    "animate_many": "dancepipe.many.animate_many",
    "build_dataset": "dancepipe.doors",
    "evaluate": "dancepipe.doors",
    "find_people": "dancepipe.doors",
    "motion": "dancepipe.rendering.find_motion",
    "preview": "dancepipe.rendering.preview",
    "train": "dancepipe.doors",
}

logging.getLogger(__name__).addHandler(logging.NullHandler())


def __getattr__(name: str):
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
