"""Phases: stretches of training, each with its own set of trainable layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from tunewright.errors import RecipeError
from tunewright.recipe.schema import Phase, Train

CONTRASTIVE_EPOCHS = 5
FEWEST_COMPARED = 16  # half as many scored one to three points less, on 8 rows a class
CONTRASTIVE_RATE = 2.0  # times the rate of the blocks; few steps, and no head to learn first


@dataclass(frozen=True)
class PhasePlan:
    """A phase with every number chosen. `epochs` 0 means that only the head is solved.

    contrastive: rows of one class are pulled together; the head is solved when it ends.
    """

    name: str
    blocks: int
    learning_rate: float
    head_learning_rate: float
    layer_decay: float
    epochs: int
    patience: int
    contrastive: bool = False

    def rows_of_step(self, batch_size: int) -> int:
        """So many, unless they are too few to be compared with each other."""
        return max(batch_size, FEWEST_COMPARED) if self.contrastive else batch_size

    def rate_at(self, above: int) -> float:
        """The learning rate of the layer with `above` blocks above it; −1 is the head."""
        if above < 0:
            return self.head_learning_rate
        return self.learning_rate * self.layer_decay**above


def deepest(layers: str | None, num_blocks: int) -> int:
    """How many top blocks `adapt.layers` lets learn; None is none of them.

    Raises:
        RecipeError: more than the model has.
    """
    if layers is None:
        return 0
    if not layers.startswith("top-"):
        return num_blocks
    top = int(layers.removeprefix("top-"))
    if top > num_blocks:
        raise RecipeError(
            f"adapt.layers is {layers}, the model has {num_blocks} blocks",
            fix=f"write top-{num_blocks} or less, or all",
        )
    return top


def plan_phases(train: Train, num_blocks: int, most: int | None = None) -> tuple[PhasePlan, ...]:
    """The phases that a recipe asks for, on a model with this many blocks.

    Args:
        train: with numbers where it said auto.
        most: top blocks that may learn; None for all.
    Raises:
        RecipeError: a phase wants more blocks than the model has, or than may learn.
    """
    most = num_blocks if most is None else most
    first = (contrastive_phase(train, most),) if train.contrastive == "on" else ()
    if train.phases is not None:
        return first + tuple(
            _by_hand(phase, index, num_blocks, most, train)
            for index, phase in enumerate(train.phases)
        )
    return first + _by_strategy(train, num_blocks, most)


def contrastive_phase(train: Train, most: int) -> PhasePlan:
    """The phase in which the top two thirds of what may learn pulls classes apart, under the head.

    Args:
        train: with numbers where it said auto.
        most: top blocks that may learn.
    """
    plan = _plan(train, "contrastive", -(-most * 2 // 3), epochs=CONTRASTIVE_EPOCHS)
    rate = CONTRASTIVE_RATE * plan.learning_rate
    return replace(
        plan,
        learning_rate=rate,
        head_learning_rate=0.0,
        layer_decay=1.0,
        patience=0,
        contrastive=True,
    )


def _by_strategy(train: Train, num_blocks: int, most: int) -> tuple[PhasePlan, ...]:
    whole = _plan(train, _name(most, num_blocks), most)
    if train.strategy == "full":
        return (whole,)
    if train.strategy == "head":
        return (_plan(train, "head", 0),)
    top = most * 2 // 3
    probe = _plan(train, "head", 0, epochs=0)
    if train.strategy == "probe":
        return (probe,)
    if not top:
        return (probe, whole)
    return (probe, _plan(train, f"top {top} blocks", top), whole)


def first_blocks(phases: Sequence[PhasePlan]) -> int:
    """Top blocks that the first phase with steps trains; what lies below stays as it is till then."""
    return next((phase.blocks for phase in phases if phase.epochs), 0)


def _plan(train: Train, name: str, blocks: int, epochs: int | None = None) -> PhasePlan:
    return PhasePlan(
        name=name,
        blocks=blocks,
        learning_rate=cast("float", train.learning_rate),
        head_learning_rate=cast("float", train.head_learning_rate),
        layer_decay=cast("float", train.layer_decay),
        epochs=cast("int", train.epochs) if epochs is None else epochs,
        patience=cast("int", train.early_stopping),
    )


def refuse_idle_adapters(phases: Sequence[PhasePlan], adapted: int) -> None:
    """Raise RecipeError when no phase trains the lowest of the adapted blocks."""
    reached = max(phase.blocks for phase in phases)
    if reached < adapted:
        raise RecipeError(
            f"the top {adapted} blocks get adapters, and train.phases train {reached} of them",
            fix=f"write adapt.layers: top-{reached}, or give a phase blocks: all",
        )


def refuse_idle_tokens(phases: Sequence[PhasePlan], num_blocks: int) -> None:
    """Raise RecipeError when no phase trains what lies below all blocks: the vectors of tokens."""
    reached = max(phase.blocks for phase in phases)
    if reached < num_blocks:
        raise RecipeError(
            f"adapt.new_tokens lie below all {num_blocks} blocks, of which the top {reached} learn",
            fix="write adapt.layers: all, or give a phase blocks: all",
        )


def _by_hand(phase: Phase, index: int, num_blocks: int, most: int, train: Train) -> PhasePlan:
    blocks = most if phase.blocks == "all" else phase.blocks
    if blocks > num_blocks:
        raise RecipeError(
            f"train.phases.{index} asks for {blocks} blocks, the model has {num_blocks}",
            fix=f"give blocks from 0 to {num_blocks}, or all",
        )
    if blocks > most:
        raise RecipeError(
            f"train.phases.{index} asks for {blocks} blocks, adapt.layers is top-{most}",
            fix=f"give blocks from 0 to {most}, or write adapt.layers: top-{blocks}",
        )
    keys = ("learning_rate", "head_learning_rate", "layer_decay", "epochs", "early_stopping")
    given = {key: getattr(phase, key) for key in keys if getattr(phase, key) != "auto"}
    if "learning_rate" in given and "head_learning_rate" not in given:
        ratio = cast("float", train.head_learning_rate) / cast("float", train.learning_rate)
        given["head_learning_rate"] = given["learning_rate"] * ratio
    return _plan(train.model_copy(update=given), phase.name or _name(blocks, num_blocks), blocks)


def _name(blocks: int, num_blocks: int) -> str:
    if blocks == 0:
        return "head"
    return "all layers" if blocks == num_blocks else f"top {blocks} blocks"
