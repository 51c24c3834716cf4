"""What services ask for: US dollars for a million tokens."""

from __future__ import annotations

from dataclasses import dataclass

from tunewright.backends.openai.presets import address, is_here
from tunewright.recipe.service import Service

AS_OF = "April 2026"
"""When the table was read; what a service asks for today stands on its own page."""


@dataclass(frozen=True)
class Prices:
    """US dollars for a million tokens: to train on, to read and to write.

    Args:
        said_by: where they are from.
    """

    training: float
    input: float
    output: float
    said_by: str


# The trained model's prices to read and to write; the untouched one costs no more.
_OPENAI = {
    "gpt-4o-mini-2024-07-18": (3.0, 0.30, 1.20),
    "gpt-4o-2024-08-06": (25.0, 3.75, 15.0),
}


def prices_of(service: Service, model: str) -> Prices | None:
    """What a model costs; None where nobody says.

    The recipe's own prices come first, then this machine, which asks for nothing, then the table.
    """
    given = (service.training_price, service.input_price, service.output_price)
    found: Prices | None = None
    if is_here(address(service)):
        found = Prices(0.0, 0.0, 0.0, "the service runs on this machine")
    elif service.preset == "openai" and model in _OPENAI:
        found = Prices(*_OPENAI[model], f"the price list as of {AS_OF}")
    if all(each is None for each in given):
        return found
    if found is None and any(each is None for each in given):
        return None
    listed = (0.0, 0.0, 0.0) if found is None else (found.training, found.input, found.output)
    training, reading, writing = (
        other if own is None else own for own, other in zip(given, listed, strict=True)
    )
    return Prices(training, reading, writing, "the recipe's prices")
