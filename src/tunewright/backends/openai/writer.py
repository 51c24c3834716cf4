"""A model of a service that answers prompts, several at once."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

from tunewright.backends.openai.connection import Connection, connect
from tunewright.backends.openai.kept_answers import KeptAnswers
from tunewright.backends.openai.presets import KNOWN
from tunewright.backends.served import Served
from tunewright.errors import ModelError

UNSENT = ("weight",)
THERE_S, THERE_PAUSE_S = 600.0, 1.0


@dataclass(frozen=True)
class ServedWriter:
    """Asks through chat completions, as `backends.open_writer` gives it.

    Args:
        kept: answers that were paid for before; they are not asked for again.
    """

    connection: Connection
    served: Served
    kept: KeptAnswers = field(default_factory=KeptAnswers)

    def prompt(self, messages: Sequence[dict[str, Any]], tools: Any = None) -> str:
        """What is sent, as JSON: the messages without what only training reads, and the tools."""
        asked: dict[str, Any] = {
            "messages": [
                {key: value for key, value in each.items() if key not in UNSENT}
                for each in messages
            ]
        }
        return json.dumps(asked | ({"tools": tools} if tools else {}), ensure_ascii=False)

    def write(
        self,
        prompts: Sequence[str],
        *,
        most_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[tuple[int, str, bool]]:
        """(number of the prompt, answer, whether it came to an end by itself), in order.

        Tool calls stand in an answer between tags, as a model on this machine writes them.
        """
        length = "max_completion_tokens" if KNOWN[self.served.preset].completion_tokens else ""
        settings = {
            "model": self.served.model,
            length or "max_tokens": most_tokens,
            "temperature": temperature,
            "seed": seed,
        }
        bodies = [json.loads(prompt) | settings for prompt in prompts]
        with ThreadPoolExecutor(self.served.parallel) as pool:
            try:
                for row, (text, ended) in enumerate(pool.map(self._answer, bodies)):
                    yield row, text, ended
            except BaseException:  # what is not asked yet is not paid for
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    def _answer(self, body: dict[str, Any]) -> tuple[str, bool]:
        known = self.kept.of(body)
        if known is not None:
            return known
        found = self.connection.patience.ask(
            f"an answer of {self.served.model}",
            lambda: self.connection.client.chat.completions.create(**body),
        )
        choice = found.choices[0] if found.choices else None
        answer = ("", False)
        if choice is not None and choice.message is not None:
            answer = said(choice.message), choice.finish_reason != "length"
        self.kept.add(body, answer)
        return answer


def wait_until_there(
    writer: ServedWriter, *, most_s: float = THERE_S, clock: Callable[[], float] = time.monotonic
) -> None:
    """Return when a model answers: some are not there yet when their job says that they are.

    Raises:
        ModelError: it is still unknown after `most_s`; on Azure it wants a deployment first.
    """
    until, pause = clock() + most_s, THERE_PAUSE_S
    while True:
        try:
            prompt = writer.prompt([{"role": "user", "content": "Hello"}])
            list(writer.write([prompt], most_tokens=1))
            return
        except ModelError as error:
            if clock() + pause > until:
                raise
            writer.connection.patience.told(error.what, pause)
            writer.connection.patience.sleep(pause)
            pause = min(60.0, 2 * pause)


def said(message: Any) -> str:
    """The text of an answer, with its tool calls between tags after it.

    A refusal is what was said too.
    """
    text = message.content or getattr(message, "refusal", None) or ""
    calls = [_call(each.function) for each in message.tool_calls or () if each.function]
    tagged = [f"<tool_call>{json.dumps(call, ensure_ascii=False)}</tool_call>" for call in calls]
    return "\n".join([*([text] if text else []), *tagged])


def _call(function: Any) -> Mapping[str, Any]:
    try:
        arguments = json.loads(function.arguments or "{}")
    except ValueError:
        arguments = function.arguments
    return {"name": function.name, "arguments": arguments}


def open_served(
    served: Served,
    told: Callable[[str, float], None] | None = None,
    kept: KeptAnswers | None = None,
) -> ServedWriter:
    """What asks a model of a service.

    Args:
        told: see `Patience`. kept: see `ServedWriter`.
    Raises:
        RecipeError: its key is not set.
    """
    connection = connect(served.base_url, served.key, told)
    return ServedWriter(connection, served, kept or KeptAnswers())
