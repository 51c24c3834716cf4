"""What a run will cost at a service, told before anything is sent."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from tunewright.backends.openai.labelled import LABEL_TOKENS, instruction_for
from tunewright.backends.openai.prices import prices_of
from tunewright.data.prepare import Prepared
from tunewright.errors import RecipeError
from tunewright.few_shot import MOST as MOST_SHOTS
from tunewright.hosting.sent import Sent, tokens_of
from tunewright.recipe.schema import UNLABELLED, Recipe
from tunewright.train.events import Events

MILLION = 1e6


@dataclass(frozen=True)
class Estimate:
    """At most what a run takes, as far as that can be known without the model's tokenizer.

    Args:
        trained_tokens: rows times epochs. read_tokens, written_tokens: of all answers together.
        training, answers: US dollars; None where no price is known. prices: who says them.
    """

    trained_tokens: int
    read_tokens: int
    written_tokens: int
    training: float | None
    answers: float | None
    prices: str

    @property
    def dollars(self) -> float | None:
        """All together."""
        if self.training is None or self.answers is None:
            return None
        return self.training + self.answers


def estimate(recipe: Recipe, prepared: Prepared, sent: Sent, *, test: bool) -> Estimate:
    """What training, and asking for answers, comes to.

    Args:
        recipe: resolved. test: whether the sealed rows are asked too.
    """
    epochs: Any = recipe.train.epochs
    read, written = _asking(recipe, prepared, test=test)
    prices = prices_of(recipe.service, recipe.model)
    trained = sent.tokens * epochs
    if prices is None:
        return Estimate(trained, read, written, None, None, "nobody says what this model costs")
    return Estimate(
        trained,
        read,
        written,
        _dollars(trained, prices.training),
        _dollars(read, prices.input) + _dollars(written, prices.output),
        prices.said_by,
    )


def refuse_expensive(found: Estimate, recipe: Recipe, events: Events) -> None:
    """Tell what a run costs, and stop above the limit.

    Raises:
        RecipeError: it costs more than the recipe allows, or nobody knows what it costs.
    """
    limit = recipe.service.spend_limit
    events.emit("cost", **asdict(found), dollars=found.dollars, limit=limit)
    if limit is None:
        return
    if found.dollars is None:
        raise RecipeError(
            f"nobody says what {recipe.model} costs: {found.trained_tokens:,} tokens would be "
            f"trained, {found.read_tokens:,} read and {found.written_tokens:,} written",
            fix="give service.training_price, input_price and output_price; or spend_limit: null",
        )
    if found.dollars > limit:
        raise RecipeError(
            f"the run would cost about ${found.dollars:,.2f} (${found.training:,.2f} to train, by "
            f"{found.prices}), and service.spend_limit is ${limit:,.2f}",
            fix=f"--service.spend_limit {found.dollars * 1.1:.2f}; or fewer rows or epochs",
        )


def _asking(recipe: Recipe, prepared: Prepared, *, test: bool) -> tuple[int, int]:
    """Tokens read and written by the base model, the same with examples, and the trained one."""
    sizes = [len(prepared.validation)] + ([prepared.sizes["test"]] if test else [])
    texts = prepared.validation.texts
    each = sum(tokens_of(text) for text in texts) / max(1, len(texts))
    if prepared.kind in UNLABELLED:
        most: Any = recipe.evaluate.answers
        rows = sum(min(size, most) for size in sizes)
        models, written = 3 + MOST_SHOTS, 3 * recipe.evaluate.most_tokens
    else:
        each += tokens_of(recipe.service.instruction or instruction_for(prepared.labels))
        rows, models, written = sum(sizes), 2, 2 * LABEL_TOKENS
    return round(rows * each * models), rows * written


def _dollars(tokens: int, price: float) -> float:
    return tokens * price / MILLION
