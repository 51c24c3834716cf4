"""Whether a service has a model, asked before anything is sent to it."""

from __future__ import annotations

import openai

from tunewright.backends.openai.connection import Connection
from tunewright.backends.openai.refusals import code_of

ABSENT = "model_not_found"


def refuse_absent(connection: Connection, model: str) -> None:
    """Return unless the service says that it has no such model.

    Some list no models, or not those that they train: whatever else they answer is no refusal.

    Raises:
        ModelError: there is no such model.
    """
    try:
        connection.client.models.retrieve(model)
    except openai.NotFoundError as error:
        if code_of(error) == ABSENT:
            raise connection.patience.refusal(error, "training") from None
    except openai.APIError:
        return
