"""Waits out what passes: too many requests, a fault of the service, a broken connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import httpx
import openai

from tunewright.backends.openai.refusals import (
    OF_A_RECIPE,
    Words,
    is_quota,
    refusal,
    said_by,
    status_of,
)
from tunewright.errors import TunewrightError

FIRST_S, LONGEST_S = 1.0, 60.0
MOST_S = 900.0  # waited for one answer, all tries together
Found = TypeVar("Found")


@dataclass(frozen=True)
class Patience:
    """Asks again until an answer comes.

    Args:
        host: of the service, for errors.
        told: is called with what was waited for and the seconds, before each wait.
        sleep: waits so many seconds. most_s: waited for one answer; refused_s: where nobody
            listens at that address.
        hidden: the key, which no message may have; empty where none is sent.
        base_url: where the API is. words: for errors, what the user called things.
    """

    host: str
    told: Callable[[str, float], None] = lambda why, seconds: None
    sleep: Callable[[float], None] = time.sleep
    most_s: float = MOST_S
    refused_s: float = MOST_S
    hidden: str = field(default="", repr=False)
    base_url: str = ""
    words: Words = OF_A_RECIPE

    def refusal(self, error: Any, what: str) -> TunewrightError:
        """The error for the user."""
        return refusal(error, what, self)

    def ask(self, what: str, question: Callable[[], Found]) -> Found:
        """The answer to a question that may be asked several times.

        Args:
            what: is being done, for errors.
        Raises:
            TunewrightError: the service refuses, or has not answered for `most_s`.
        """
        waited, tries = 0.0, 0
        while True:
            try:
                return question()
            except openai.APIError as error:
                pause = wait_of(error, tries)
                most_s = self.refused_s if is_deaf(error) else self.most_s
                if pause is None or waited + pause > most_s:
                    raise self.refusal(error, what) from None
                self.told(f"{what}: {said_by(error, self.hidden)}", pause)
                self.sleep(pause)
                waited, tries = waited + pause, tries + 1


def wait_of(error: Any, tries: int) -> float | None:
    """Seconds to wait before the next try; None where asking again cannot help.

    Args:
        tries: that were made before this one.
    """
    if not passes(error):
        return None
    asked = retry_after(error)
    return min(LONGEST_S, FIRST_S * 2.0**tries) if asked is None else asked


def passes(error: Any) -> bool:
    """Whether the same request may be answered later."""
    if isinstance(error, openai.APIConnectionError):  # a timeout too
        return True
    status = status_of(error)
    return (status in (408, 409, 429) or status >= 500) and not is_quota(error)


def is_deaf(error: Any) -> bool:
    """Whether nobody listens there, or there is no such host: a wrong address, or a restart."""
    return isinstance(error.__cause__, httpx.ConnectError)


def was_heard(error: Any) -> bool:
    """Whether the service may have done what was asked, though it did not say so."""
    if isinstance(error, openai.APIConnectionError):
        return True
    status = status_of(error)
    return status in (408, 409) or status not in range(400, 500)


def retry_after(error: Any) -> float | None:
    """Seconds that the service asks to wait, a number or a date; None where it says nothing."""
    response = getattr(error, "response", None)
    text = None if response is None else response.headers.get("retry-after")
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
