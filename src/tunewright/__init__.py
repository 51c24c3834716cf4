"""Fine-tune a pre-trained model on your own data, from a file to a number you can believe.

The commands of the command line are functions here, with the same names and arguments.
They are imported when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tunewright.checking import check as check
    from tunewright.choosing import choose as choose
    from tunewright.comparing import compare as compare
    from tunewright.diagnosis import doctor as doctor
    from tunewright.errors import TunewrightError as TunewrightError
    from tunewright.finished import FinishedRun as FinishedRun
    from tunewright.inference import predict as predict
    from tunewright.inventory import models as models
    from tunewright.inventory import runs as runs
    from tunewright.judging import evaluate as evaluate
    from tunewright.judging import test as test
    from tunewright.life import run as run
    from tunewright.moving.import_openai import import_openai as import_openai
    from tunewright.planning import plan as plan
    from tunewright.recipe.schema import Recipe as Recipe
    from tunewright.tuning.search import tune as tune
    from tunewright.writing import chat as chat

_HOMES = {
    "FinishedRun": ("tunewright.finished", "FinishedRun"),
    "Recipe": ("tunewright.recipe.schema", "Recipe"),
    "TunewrightError": ("tunewright.errors", "TunewrightError"),
    "chat": ("tunewright.writing", "chat"),
    "check": ("tunewright.checking", "check"),
    "choose": ("tunewright.choosing", "choose"),
    "compare": ("tunewright.comparing", "compare"),
    "doctor": ("tunewright.diagnosis", "doctor"),
    "evaluate": ("tunewright.judging", "evaluate"),
    "import_openai": ("tunewright.moving.import_openai", "import_openai"),
    "models": ("tunewright.inventory", "models"),
    "plan": ("tunewright.planning", "plan"),
    "predict": ("tunewright.inference", "predict"),
    "run": ("tunewright.life", "run"),
    "runs": ("tunewright.inventory", "runs"),
    "test": ("tunewright.judging", "test"),
    "tune": ("tunewright.tuning.search", "tune"),
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tunewright' has no attribute '{name}'")
    module, attribute = _HOMES[name]
    return getattr(import_module(module), attribute)
