"""What `auto` becomes, and why. Pure functions of a few measured facts."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tunewright.errors import RecipeError
from tunewright.recipe.adapt import ADAPTED, ADAPTER_KEYS, Adapt
from tunewright.recipe.evaluate import Evaluate
from tunewright.recipe.metric_names import METRICS, WRITTEN
from tunewright.recipe.own_rate import ADAPTER_RATE, own_rate, times_base
from tunewright.recipe.schema import (
    UNLABELLED,
    Kind,
    Recipe,
    Train,
)

Choice = tuple[str, object, str]  # key, value, reason

LAYER_DECAY = 0.9
ADAPTER_RANK, ALPHA_PER_RANK = 16, 2
RSLORA_ALPHA = 8  # at the rank of 16 as strong as the others
PATIENCE = 3
SHORT_ENOUGH = 128
COVERED = 99.5
IMBALANCED = 3.0
ANSWERS = 16
FEW_ROWS = 8  # of a step, where each teaches many tokens
_FEW_WEIGHTS = "few weights learn, and the model keeps what it knows"
CACHE_GIB = 32.0


@dataclass(frozen=True)
class Facts:
    """What the defaults depend on.

    kind: what a label is; lengths: int (rows), tokens per training row before any cut; counts: training rows of each
    label; longest_input: tokens that the model can read, None where no row is ever cut; width: of its hidden state.
    """

    kind: Kind
    lengths: np.ndarray
    counts: tuple[int, ...]
    longest_input: int | None
    width: int


def with_method(
    recipe: Recipe, kind: Kind, few: str | None = None
) -> tuple[Recipe, tuple[Choice, ...]]:
    """The recipe with its method and strategy, on which other choices depend; and why.

    Args:
        few: why the head alone is solved, where training rows are few.
    Raises:
        RecipeError: a head is asked for where the task has none.
    """
    adapt, train, unlabelled = recipe.adapt, recipe.train, kind in UNLABELLED
    method: tuple[object, str] = (adapt.method, "asked for")
    if adapt.method == "auto":
        named = adapt.adapter_keys
        method = ("full", "a new head, and any block may learn")
        if unlabelled or named:
            method = ("lora", f"adapt.{named[0]} is given" if named else _FEW_WEIGHTS)
    strategy: tuple[object, str] = (train.strategy, "asked for")
    if train.strategy == "auto":
        strategy = ("staged", "the head first, then top blocks, then all")
        if unlabelled:
            strategy = ("full", "there is no new head to begin with")
        if method[0] == "head":
            strategy = ("head", "adapt.method is head")
        if few is not None:
            strategy = ("probe", few)
    if method[0] in ADAPTED and strategy[0] == "head" and not unlabelled:
        raise RecipeError(
            f"{method[1]}, which is for adapters, but train asks for the head alone",
            fix="take it out, or train blocks too",
        )
    if unlabelled and "head" in (method[0], strategy[0]):
        raise RecipeError(
            "the head alone is to be trained, but a language model has no new head",
            fix="write adapt.method: lora, or full",
        )
    choices: tuple[Choice, ...] = (("adapt.method", *method),)
    if train.phases is None:
        choices += (("train.strategy", *strategy),)
    return with_choices(recipe, choices), choices


def choose_dropout(adapt: Adapt) -> Choice:
    """The model's own dropout, without the part that forbids fast attention."""
    key = "adapt.dropout"
    if adapt.dropout != "auto":
        return key, adapt.dropout, "asked for"
    return key, "hidden", "attention without dropout is faster"


def choose_adapters(adapt: Adapt, train: Train, facts: Facts) -> tuple[Choice, ...]:
    """Which blocks may learn; rank, strength and dropout of adapters.

    Raises:
        RecipeError: the rank is higher than the model is wide.
    """
    if adapt.method == "head":
        return ()
    layers = _choose_layers(adapt, train)
    if not adapt.has_adapters:
        return (layers,)
    if isinstance(adapt.rank, int) and adapt.rank > facts.width:
        raise RecipeError(
            f"adapt.rank is {adapt.rank}, the model is {facts.width} wide",
            fix="give a rank of 4 to 64",
        )
    most = min(ADAPTER_RANK, facts.width)
    rank = most if adapt.rank == "auto" else adapt.rank
    auto: tuple[Choice, ...] = (
        ("rank", most, "enough for one task; a higher rank costs more and rarely gains"),
        ("alpha", *_choose_alpha(adapt, rank or 0)),
        ("adapter_dropout", 0.0, "so few weights seldom learn rows by heart"),
    )
    return (
        layers,
        *(
            (f"adapt.{key}", value, why)
            if getattr(adapt, key) == "auto"
            else (f"adapt.{key}", getattr(adapt, key), "asked for")
            for key, value, why in auto
        ),
    )


def _choose_alpha(adapt: Adapt, rank: int) -> tuple[int, str]:
    if adapt.method == "rslora":
        return RSLORA_ALPHA, f"over √rank: at rank {ADAPTER_RANK} as strong as with lora"
    return ALPHA_PER_RANK * rank, f"{ALPHA_PER_RANK} times the rank"


def _choose_layers(adapt: Adapt, train: Train) -> Choice:
    """All, unless the phases by hand say how deep the adapters are to learn."""
    key = "adapt.layers"
    if adapt.layers != "auto":
        return key, adapt.layers, "asked for"
    if not adapt.has_adapters:
        return key, "all", "any block may learn"
    asked = [phase.blocks for phase in train.phases or ()]
    if asked and "all" not in asked:
        return key, f"top-{max(asked)}", "as deep as train.phases go"
    return key, "all", "adapters are small; top-N is faster"


def choose_max_length(train: Train, facts: Facts) -> Choice:
    """Long enough for nearly every row, and no longer than the model can read.

    Raises:
        RecipeError: a length is asked for where rows are not cut, or none where they may be.
    """
    key = "train.max_length"
    if facts.longest_input is None:
        if train.max_length not in ("auto", None):
            raise RecipeError(
                f"train.max_length is {train.max_length}, but pictures are not cut to a length",
                fix="take train.max_length out",
            )
        return key, None, "pictures have the size that the model wants"
    if train.max_length is None:
        raise RecipeError(
            "train.max_length is null, which is for pictures alone", fix="write auto, or a number"
        )
    if train.max_length != "auto":
        value = min(train.max_length, facts.longest_input)
        reason = "asked for" if value == train.max_length else "the most that the model can read"
        return key, value, f"{reason}; {_cut(facts, value)}"
    longest = int(facts.lengths.max())
    if facts.kind in UNLABELLED:
        why = f"the longest row has {longest} tokens; what the model can read, so that none is cut"
        return key, facts.longest_input, why
    most = max(SHORT_ENOUGH, int(np.percentile(facts.lengths, COVERED)))
    value = min(most, facts.longest_input)
    return key, value, f"the longest row has {longest} tokens; {_cut(facts, value)}"


def _cut(facts: Facts, limit: int) -> str:
    return f"{int((facts.lengths > limit).sum())} of {len(facts.lengths)} rows are cut"


def choose_metric(evaluate: Evaluate, facts: Facts) -> Choice:
    """Accuracy, unless one label is so common that accuracy says little; by task.

    Raises:
        RecipeError: a metric is asked for that such labels do not have.
    """
    key = "evaluate.metric"
    if evaluate.metric != "auto":
        if evaluate.metric not in METRICS[facts.kind]:
            raise RecipeError(
                f"evaluate.metric is {evaluate.metric}, which labels of this task do not have",
                fix=f"use one of {', '.join(METRICS[facts.kind])}",
            )
        if facts.kind == "tokens" and evaluate.metric in WRITTEN:
            return key, evaluate.metric, _cost_of_writing(evaluate)
        return key, evaluate.metric, "asked for"
    if facts.kind in UNLABELLED:
        return key, "loss", "what is learned; it has the least noise"
    if facts.kind == "several":
        return key, "micro_f1", "over all labels of all rows"
    if facts.kind == "number":
        return key, "rmse", "large errors count most, as in training"
    most, least = max(facts.counts), max(1, min(facts.counts))
    share = f"the largest label has {most / least:.1f} times the rows of the smallest"
    if most / least > IMBALANCED:
        return key, "macro_f1", f"{share}: every label counts the same"
    return key, "accuracy", share


def _cost_of_writing(evaluate: Evaluate) -> str:
    """What each evaluation costs where it writes answers. Raises RecipeError where it cannot."""
    rows = ANSWERS if evaluate.answers == "auto" else evaluate.answers
    if not rows:
        raise RecipeError(
            f"evaluate.metric is {evaluate.metric}, but evaluate.answers is 0",
            fix="let some validation rows be answered, or choose the loss",
        )
    if evaluate.metric == "format_rate" and evaluate.pattern is None:
        raise RecipeError(
            "evaluate.metric is format_rate, but there is no evaluate.pattern",
            fix="give the regular expression that answers should have",
        )
    return (
        f"asked for; each evaluation writes {rows} answers of up to {evaluate.most_tokens} tokens"
    )


def refuse_unfit(train: Train, kind: Kind) -> None:
    """Raise RecipeError for what rows without classes cannot have, and what only pairs have."""
    if train.sampling == "balanced" and kind != "one":
        raise RecipeError(
            "train.sampling is balanced, but the rows do not have one label each",
            fix="take train.sampling out",
        )
    if train.sampling == train.class_weights == "balanced":
        raise RecipeError(
            "train.sampling and train.class_weights are both balanced: rare classes count twice",
            fix="keep one of the two",
        )
    for key, plain in (("label_smoothing", 0.0), ("class_weights", "none")):
        value = getattr(train, key)
        if kind in ("number", *UNLABELLED) and value != plain:
            raise RecipeError(
                f"train.{key} is {value}, but the rows have no classes",
                fix=f"take train.{key} out",
            )
    for key, plain in (("preference", "dpo"), ("beta", 0.1)):
        value = getattr(train, key)
        if kind != "preference" and value != plain:
            raise RecipeError(
                f"train.{key} is {value}, but the rows are no pairs of answers",
                fix=f"take train.{key} out",
            )


def choose_answers(evaluate: Evaluate, kind: Kind) -> Choice:
    """Enough answers to read, as few as writing takes long.

    Raises:
        RecipeError: something of answers is asked for where nothing is written.
    """
    key = "evaluate.answers"
    if kind in UNLABELLED:
        if evaluate.answers != "auto":
            return key, evaluate.answers, "asked for"
        return key, ANSWERS, "enough to read; more make narrower intervals, and take longer"
    plain = Evaluate()
    for name in ("answers", "most_tokens", "pattern", "own"):
        if getattr(evaluate, name) not in (getattr(plain, name), 0):
            raise RecipeError(
                f"evaluate.{name} is {getattr(evaluate, name)}, but this task writes no answers",
                fix=f"take evaluate.{name} out",
            )
    return key, 0, "this task writes no answers"


def choose_batch_size(train: Train, facts: Facts) -> Choice:
    """32, or less where there would be too few steps."""
    key = "train.batch_size"
    if train.batch_size != "auto":
        return key, train.batch_size, "asked for"
    rows = len(facts.lengths)
    value = 32 if rows >= 4000 else 16 if rows >= 160 else 8
    if facts.kind in UNLABELLED:
        value = FEW_ROWS
    while value % train.accumulate:
        value += 1
    return key, value, f"{rows} training rows give {-(-rows // value)} steps an epoch"


def choose_evaluations(train: Train, facts: Facts) -> Choice:
    """Often enough to find the best point, rarely enough to cost little."""
    key = "train.evaluations_per_epoch"
    if train.evaluations_per_epoch != "auto":
        return key, train.evaluations_per_epoch, "asked for"
    value = 2 if len(facts.lengths) >= 2000 else 1
    return key, value, "each one costs a look at all validation rows"


def choose_rates(train: Train, facts: Facts, *, adapters: bool = False) -> tuple[Choice, ...]:
    """Learning rates, epochs and patience; the head's rate follows the blocks' rate."""
    rows = len(facts.lengths)
    preference = facts.kind == "preference"
    times = times_base(adapters=adapters, preference=preference)
    auto_rate = own_rate(facts.width, adapters=adapters, preference=preference)
    rate = auto_rate if train.learning_rate == "auto" else train.learning_rate
    why_rate = f"the model is {facts.width} wide; wider learns slower"
    why_head = "the head starts from its solution"
    if adapters:
        why_rate += f"; adapters take {ADAPTER_RATE:g} times the rate of whole layers"
        why_head += ", and its layers are whole"
    staged = train.strategy == "staged" and train.phases is None
    unlabelled = facts.kind in UNLABELLED
    epochs = (1 if rows >= 600 else 2 if rows >= 200 else 3) if staged else 3
    if unlabelled:
        epochs = 1 if rows >= 2000 else 3 if preference and rows < 600 else 2
        why_head = "there is no new head"
    auto: tuple[Choice, ...] = (
        ("learning_rate", auto_rate, why_rate),
        ("head_learning_rate", rate / times, why_head),
        (
            "layer_decay",
            1.0 if unlabelled and adapters else LAYER_DECAY,
            "adapters begin at nothing, at every depth"
            if unlabelled and adapters
            else "lower blocks hold what is general and move less",
        ),
        ("epochs", epochs, f"{rows} training rows; early stopping ends sooner"),
        ("early_stopping", PATIENCE, "evaluations without gain"),
    )
    return tuple(
        (f"train.{key}", value, why)
        if getattr(train, key) == "auto"
        else (f"train.{key}", getattr(train, key), "asked for")
        for key, value, why in auto
    )


def choose_cache(train: Train) -> Choice:
    """Room on disk for what frozen layers answer."""
    key = "train.cache"
    if train.cache != "auto":
        return key, train.cache, "asked for"
    return key, CACHE_GIB, "GiB on disk at most, for kept activations and mapped weights"


def with_choices(recipe: Recipe, choices: tuple[Choice, ...]) -> Recipe:
    """The recipe with every chosen value in its place."""
    content = recipe.model_dump()
    for key, value, _ in choices:
        *parents, last = key.split(".")
        place = content
        for parent in parents:
            place = place[parent]
        place[last] = value
    if content["adapt"]["method"] in ("full", "head"):
        content["adapt"] |= dict.fromkeys(ADAPTER_KEYS)
    if content["adapt"]["method"] == "head":
        content["adapt"]["layers"] = None
    if recipe.train.phases is not None:
        content["train"]["strategy"] = None
    return Recipe.model_validate(content)
