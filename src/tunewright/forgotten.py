"""What a model lost by fine-tuning: general texts, before and after."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends import mean_vectors, open_language, open_writer
from tunewright.backends.folder import read_config
from tunewright.backends.out_of_sample import out_of_sample
from tunewright.data.chat.conversation import written
from tunewright.errors import TunewrightError
from tunewright.evaluation import drift, reference
from tunewright.evaluation.drift import Compared
from tunewright.evaluation.scored import Floats
from tunewright.recipe.schema import TASKS, UNLABELLED, Recipe
from tunewright.train.passes import in_rehearsal
from tunewright.writing import answers_of


def forgotten(folder: Path, base: Path, recipe: Recipe) -> dict[str, Any] | None:
    """What the reference texts show, before training and after it; None where it is not asked for.

    Args:
        folder: of the trained model. base: of the model before training.
        recipe: resolved.
    Returns:
        {"sentence", "matters", "seconds"} and what was compared: {"cka", "cosine", "probe"} of an
        encoder, {"loss", "questions"} of a language model; or why it could not be, under "left_out".
    """
    if recipe.evaluate.forgetting != "on":
        return None
    started = time.monotonic()
    compare = _of_language if TASKS[recipe.task] in UNLABELLED else _of_vectors
    try:
        found = compare(folder, base, recipe)
    except TunewrightError as error:  # the model is trained, and its scores are worth having
        return {"left_out": error.what, "matters": False, "sentence": f"forgetting: {error.what}"}
    return found | {"seconds": round(time.monotonic() - started, 2)}


def _of_vectors(folder: Path, base: Path, recipe: Recipe) -> dict[str, Any]:
    texts, topics = reference.sentences()
    blocks = _blocks(base)
    before, after = (
        mean_vectors(each, texts, blocks=blocks if _blocks(each) != blocks else None)
        for each in (base, folder)
    )
    own = np.arange(len(texts))
    as_was, as_is = (
        out_of_sample(each, topics, int(topics.max()) + 1, own, seed=recipe.seed)
        for each in (before, after)
    )
    probe = _compared("accuracy", as_was, as_is, topics, recipe)
    cka = drift.likeness(before, after)
    asked = f"{len(texts)} sentences"
    return {
        "texts": len(texts),
        "cka": cka,
        "cosine": drift.mean_cosine(before, after),
        "probe": probe,
        "matters": drift.is_lost("accuracy", probe),
        "sentence": f"forgetting: the model's vectors of general text kept {cka:.2f} of their shape; "
        f"a probe on {asked} {drift.change('accuracy', probe, asked)}",
    }


def _blocks(folder: Path) -> int | None:
    """A model that was given a block for its head is asked below it."""
    return getattr(read_config(folder), "num_hidden_layers", None)


def _of_language(folder: Path, base: Path, recipe: Recipe) -> dict[str, Any]:
    texts = [written({"text": each}) for each in reference.paragraphs()]
    plain = recipe.model_copy(
        update={
            "task": "text-generation",
            "train": recipe.train.model_copy(update={"max_length": None}),
            "data": recipe.data.model_copy(update={"too_long": "cut"}),
        }
    )
    before, after = (open_language(each, base, plain).answers(texts) for each in (base, folder))
    loss = _compared("loss", before, after, np.ones(len(texts), dtype=np.bool_), recipe)
    asked = f"{len(texts)} paragraphs"
    found = {
        "texts": len(texts),
        "loss": loss,
        "matters": drift.is_lost("loss", loss),
        "sentence": f"forgetting: the loss per token of {asked} of general text "
        f"{drift.change('loss', loss, asked)}",
    }
    return found if in_rehearsal() else _with_questions(found, folder, base, recipe)


def _with_questions(
    found: dict[str, Any], folder: Path, base: Path, recipe: Recipe
) -> dict[str, Any]:
    pairs = reference.questions()
    prompts = [([{"role": "user", "content": question}], None) for question, _ in pairs]
    said = [
        [
            each["answer"]
            for each in answers_of(
                open_writer(model), prompts, most_tokens=reference.ANSWER_TOKENS, seed=recipe.seed
            )
        ]
        for model in (base, folder)
    ]
    right = [
        np.array(
            [reference.is_right(answer, of) for answer, (_, of) in zip(each, pairs, strict=True)]
        )
        for each in said
    ]
    (before, ones), (after, _) = (drift.of_right(each) for each in right)
    compared = _compared("accuracy", before, after, ones, recipe)
    asked = f"{len(pairs)} questions"
    return found | {
        "asked": len(pairs),
        "questions": compared,
        "matters": found["matters"] or drift.is_lost("accuracy", compared),
        "sentence": f"{found['sentence']}; the share of {asked} answered right "
        f"{drift.change('accuracy', compared, asked)}",
    }


def _compared(
    metric: str, before: Floats, after: Floats, labels: np.ndarray, recipe: Recipe
) -> Compared:
    return drift.compare(
        metric, before, after, labels, resamples=recipe.evaluate.resamples, seed=recipe.seed
    )
