"""One family of user errors: what happened, and how to mend it."""

from __future__ import annotations


class TunewrightError(Exception):
    """A mistake that the user can mend. Shown as two lines, without a traceback.

    Args:
        what: what happened and where (file, line, key), and what was expected.
        fix: the next move.
    """

    exit_code = 2

    def __init__(self, what: str, *, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.what}\nfix: {self.fix}"


class RecipeError(TunewrightError):
    """The recipe asks for something that does not exist or cannot be granted."""


class DataError(TunewrightError):
    """The data cannot be read, or cannot be learned from."""


class ModelError(TunewrightError):
    """The model cannot be found, loaded or trusted."""


class RunError(TunewrightError):
    """A run folder is missing, incomplete, or held by another process."""


class ChangedError(RunError):
    """Something that decides how a run goes on is not what it was.

    Args:
        key: what changed; before, now: its two values.
        run: the run folder.
    """

    def __init__(self, key: str, before: object, now: object, run: object) -> None:
        super().__init__(
            f"{key} changed since the run began: {before} before, {now} now",
            fix="undo the change, or start a new run from the best weights so far: "
            f"tunewright run DATA --model {run}",
        )


class SealError(TunewrightError):
    """Something tried to read the sealed test part without opening the seal."""


class FailedRunError(TunewrightError):
    """Training started and could not go on: a non-finite loss, a full disk."""

    exit_code = 1


class MergedOtherwiseError(FailedRunError):
    """A trained model answers otherwise once its adapters are merged; they alone are kept."""
