"""An answer that may call tools: what it says is told at once, what may be a call when it is whole."""

from __future__ import annotations

from typing import Any

from tunewright.backends.call_form import CallForm
from tunewright.evaluation.json_answers import calls_in

TAG = "<tool_call>"
"""What stands before a call in many templates, see `calls_in`."""


class CallStream:
    """One answer.

    Args:
        form: how the model's template writes calls; None where that is not known.
        most: calls that are told; None for all.
    """

    def __init__(self, form: CallForm | None, most: int | None = None) -> None:
        self.form = CallForm("", "") if form is None else form
        self.most = most
        self._mark = self.form.begin.strip()
        self._may_be_json = not self._mark
        self._text, self._told = "", 0

    def take(self, text: str) -> str:
        """What can be told after some more text."""
        self._text += text
        if self._may_be_json and self._text.lstrip()[:1] in ("", "{", "["):
            return ""
        mark = self._mark or TAG
        at = self._text.find(mark)
        if at < 0:
            counts = range(min(len(mark) - 1, len(self._text)), 0, -1)
            held = next((count for count in counts if self._text.endswith(mark[:count])), 0)
            at = len(self._text) - held
        return self._tell(len(self._text[:at].rstrip()))

    def end(self) -> tuple[str, list[dict[str, Any]]]:
        """What is left to tell, and the calls."""
        said, calls = self.form.read(self._text)
        if not calls:
            found = [call for call in calls_in(self._text) if "name" in call]
            calls = [
                {"name": call["name"], "arguments": call.get("arguments", call.get("parameters"))}
                for call in found
            ]
            before, tag, _ = self._text.partition(TAG)
            said = (before.strip() if tag else "") if calls else self._text
        return said[self._told :], calls[: self.most]

    def _tell(self, upto: int) -> str:
        new = self._text[self._told : max(upto, self._told)]
        self._told = max(upto, self._told)
        return new
