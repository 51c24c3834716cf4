"""Labels of texts, asked for as chat completions: the answer is the label's name.

`tunewright` in the answer has what a chat completion has no place for.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from fastapi.responses import Response

from tunewright.backends.conversation import Conversation
from tunewright.deciding import read_limits
from tunewright.inference import answers_by
from tunewright.serve.answers import ApiError
from tunewright.serve.engine.engine import Engine
from tunewright.serve.engine.places import Place
from tunewright.serve.engine.too_long import refuse_more_letters
from tunewright.serve.replies.chat_answers import ChatAnswer, choice_of, usage_of
from tunewright.serve.replies.chat_fields import ChatBody
from tunewright.serve.replies.chat_prompt import only_text
from tunewright.serve.replies.event_stream import DONE, event, stream

MEANT = (
    *("messages", "model", "user", "safety_identifier", "prompt_cache_key", "stream"),
    *("stream_options", "temperature", "seed", "n", "max_tokens", "max_completion_tokens"),
    *("modalities", "service_tier"),
)
"""Fields that mean something to a classifier, or ask for nothing that it does not do."""


async def classified(
    body: ChatBody, asked: Conversation, place: Place, engine: Engine
) -> Response | dict[str, Any]:
    """The label of the text, as a completion.

    Raises:
        ApiError: something is asked for that only a model that writes can do.
    """
    _refuse(body, place)
    text = only_text(asked)
    refuse_more_letters(text, "messages")
    limits = read_limits(place.folder)
    found, tokens = await engine.with_predictor(place, lambda each: _of(each, limits, text))
    label = _in_words(found)
    answer = ChatAnswer(body.model)
    usage = usage_of(tokens, 0)
    if not body.stream:
        whole = answer.whole([choice_of(0, label, "stop")], usage)
        return {**whole, "tunewright": found}
    options = body.stream_options

    async def chunks() -> Any:
        yield event({**answer.chunk({"role": "assistant", "content": label}), "tunewright": found})
        yield event(answer.chunk({}, finish="stop"))
        if options is not None and options.include_usage:
            yield event({**answer.chunk(), "usage": usage})
        yield DONE

    return stream(chunks())


def _refuse(body: ChatBody, place: Place) -> None:
    if place.does != "classifies":
        raise ApiError(400, f"The model `{place.name}` gives vectors, and no answers", "model")
    given = body.model_dump(exclude_none=True, exclude_defaults=True)
    wrong = [name for name in given if name not in MEANT]
    wrong += [
        name for name, only in (("n", 1), ("temperature", 0)) if given.get(name, only) != only
    ]
    if wrong:
        name = wrong[0]
        raise ApiError(
            400,
            f"The model `{place.name}` gives a text a label: '{name}' cannot be honoured",
            name,
            "unsupported_parameter",
        )


def _of(predictor: Any, limits: np.ndarray | None, text: str) -> tuple[dict[str, Any], int]:
    """What the model says of a text, and the tokens that it read."""
    inputs = predictor.inputs([text], None)
    (found,) = answers_by(predictor, limits, [text])
    return found, int(inputs.lengths[0])


def _in_words(found: dict[str, Any]) -> str:
    if "label" in found:
        return str(found["label"])
    if "labels" in found:
        return ", ".join(found["labels"])
    return str(found["value"])
