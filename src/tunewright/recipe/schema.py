"""The recipe: the one description of everything a user can ask for.

The file, the flags, the JSON schema and the docs page all derive from these classes.
`auto` means: chosen before training, and saved with the reason.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from tunewright.recipe.adapt import Adapt
from tunewright.recipe.augment import Augment
from tunewright.recipe.columns import Columns
from tunewright.recipe.evaluate import Evaluate
from tunewright.recipe.section import Auto, Count, Section
from tunewright.recipe.service import Service
from tunewright.recipe.tune import Tune

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Share = Annotated[float, Field(ge=0, lt=1)]
Kind = Literal["one", "several", "number", "tokens", "preference"]
Reads = Literal["text", "image", "chat", "preference"]
TASKS: dict[str, Kind] = {
    "text-classification": "one",
    "text-multi-label": "several",
    "text-regression": "number",
    "image-classification": "one",
    "text-generation": "tokens",
    "preference": "preference",
}
"""What a row's label is: one of several classes, any number of labels, or a number; or what is
learned of rows without one: the tokens of answers, or which of two answers is preferred."""
READS: dict[str, Reads] = {
    "text-classification": "text",
    "text-multi-label": "text",
    "text-regression": "text",
    "image-classification": "image",
    "text-generation": "chat",
    "preference": "preference",
}
"""What a row is: a text or a pair of texts, a picture, a conversation, or a prompt with two answers."""
UNLABELLED: tuple[Kind, ...] = ("tokens", "preference")
Blocks = Annotated[int, Field(ge=0)] | Literal["all"]


class Split(Section):
    """How rows are dealt to training, validation and test."""

    by: Literal["auto", "stratified", "group", "time", "given"] = Field(
        "auto", description="what keeps the parts apart"
    )
    validation: Share = Field(
        0.15,
        description="share of the rows for validation; 0 for none, in a run that ends with training",
    )
    test: Share = Field(0.15, description="share of the rows for the sealed test part; 0 for none")
    seed: Annotated[int, Field(ge=0, lt=2**31)] | None = Field(
        None, description="of the dealing, where several runs are to share it; null: the run's own"
    )

    @model_validator(mode="after")
    def _leave_rows_to_train_on(self) -> Split:
        if self.validation + self.test >= 0.9:
            raise ValueError("validation and test together take 90 % of the rows or more")
        return self


Allowed = Literal["leak", "near-leak", "group-leak", "contradictory-label", "unreadable-line"]


class Data(Section):
    """Where the rows are."""

    train: str | None = Field(
        None, description="file, folder or Hugging Face data set id; all rows, or the training part"
    )
    validation: str | None = Field(None, description="file with the validation part")
    test: str | None = Field(None, description="file with the test part; it is sealed")
    columns: Columns = Field(default_factory=Columns)
    group: str | None = Field(
        None, description="column whose equal values never land on both sides of a split"
    )
    time: str | None = Field(None, description="column to split by: the latest rows are the test")
    learn: Literal["assistant", "last", "all"] = Field(
        "assistant",
        description="of conversations: every answer whose weight is not 0, the last of these, or "
        "every token",
    )
    too_long: Literal["refuse", "cut"] = Field(
        "refuse", description="conversations with more tokens than train.max_length: stop, or cut"
    )
    chat_template: str | None = Field(
        None,
        description="path of a Jinja file, or plain; null for the template of the model's tokenizer",
    )
    exclude: str | None = Field(
        None, description="file that lists rows to leave out, as check --exclude writes it"
    )
    allow: tuple[Allowed, ...] = Field(
        (), description="findings that do not stop a run, though they are errors"
    )
    split: Split = Field(default_factory=Split)

    def leaves_out(self, part: str) -> bool:
        """Whether a part is to have no rows: its share is 0, and no file is given for it."""
        return getattr(self, part) is None and getattr(self.split, part, None) == 0

    @field_validator("allow", mode="before")
    @classmethod
    def _one_or_more(cls, value: Any) -> Any:
        return [value] if isinstance(value, str) else value


class Phase(Section):
    """A stretch of training with one set of trainable layers."""

    name: str | None = Field(None, description="shown in progress and report")
    blocks: Blocks = Field(
        "all", description="number of top blocks to train, 0 for the head alone, or all"
    )
    learning_rate: Positive | Auto = Field("auto", description="of the topmost trainable block")
    head_learning_rate: Positive | Auto = Field("auto", description="of the head")
    layer_decay: Annotated[float, Field(gt=0, le=1)] | Auto = Field(
        "auto", description="each block learns at this times the rate of the block above"
    )
    epochs: Count | Auto = Field("auto", description="passes over the training rows, at most")
    early_stopping: Annotated[int, Field(ge=0)] | Auto = Field(
        "auto", description="evaluations without gain before the phase ends; 0 for never"
    )


class Train(Section):
    """How the weights are learned."""

    strategy: Literal["staged", "full", "head", "probe"] | Auto | None = Field(
        "auto",
        description="staged: head, then top blocks, then all; full: all at once; head: that alone; "
        "probe: that alone, solved without steps; null with phases",
    )
    phases: tuple[Phase, ...] | None = Field(
        None, description="phases by hand, instead of a strategy"
    )
    contrastive: Literal["auto", "on", "off"] = Field(
        "auto",
        description="a first phase that pulls rows of one class together; auto: with few rows, "
        "where rows left out do not speak against it",
    )
    epochs: Count | Auto = Field(
        "auto",
        description="passes of each phase, at most; staged solves the head without passes",
    )
    learning_rate: Positive | Auto = Field(
        "auto",
        description="of the topmost block that learns",
    )
    head_learning_rate: Positive | Auto = Field("auto", description="of the head")
    layer_decay: Annotated[float, Field(gt=0, le=1)] | Auto = Field("auto")
    batch_size: Count | Auto = Field("auto", description="rows per optimizer step")
    accumulate: Count = Field(1, description="parts that each step's batch is computed in")
    max_length: Annotated[int, Field(ge=4)] | Auto | None = Field(
        "auto",
        description="tokens per row; longer rows are cut, and counted; null for pictures",
    )
    warmup: Annotated[float, Field(ge=0, lt=1)] = Field(
        0.1, description="share of the run's steps in which the rate rises"
    )
    schedule: Literal["linear", "cosine", "constant"] = "linear"
    weight_decay: Annotated[float, Field(ge=0, lt=1)] = 0.01
    clip: Annotated[float, Field(ge=0)] = Field(
        1.0, description="largest gradient norm; 0 for none"
    )
    not_finite: Literal["stop", "skip"] = Field(
        "stop",
        description="a loss or gradient that is not a finite number stops the run, or its batch "
        "teaches nothing; its rows are named either way",
    )
    label_smoothing: Annotated[float, Field(ge=0, lt=1)] = 0.0
    class_weights: Literal["none", "balanced"] = "none"
    sampling: Literal["as-is", "balanced"] = Field(
        "as-is", description="balanced: an epoch draws its rows from every class equally often"
    )
    preference: Literal["dpo", "ipo", "dpo-by-length"] = Field(
        "dpo", description="the loss of pairs of answers; by length: of means over their tokens"
    )
    beta: Positive = Field(
        0.1, description="how close a model that learns preferences stays to what it was"
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        "auto", description="auto: the faster of the two, by measured matrix products"
    )
    checkpointing: Literal["auto", "on", "off"] = Field(
        "auto",
        description="on: each block is computed again on the way back, which takes less memory and "
        "more time; auto: where its activations would take half of the free memory",
    )
    early_stopping: Annotated[int, Field(ge=0)] | Auto = Field(
        "auto", description="evaluations without gain before a phase ends; 0 for never"
    )
    evaluations_per_epoch: Count | Auto = "auto"
    threads: Count | Auto = Field("auto", description="processor threads")
    cache: Annotated[float, Field(ge=0, allow_inf_nan=False)] | Auto | Literal["off"] = Field(
        "auto",
        description="what frozen layers answer is computed once and kept where that pays, in "
        "memory or else in a file; that and the file of a large model's weights take at most so many "
        "GiB; off: no files, and all computed every time",
    )

    @model_validator(mode="after")
    def _phases_or_strategy(self) -> Train:
        if self.phases is not None and not self.phases:
            raise ValueError("phases is an empty list: nothing would be trained")
        if self.phases is not None and self.strategy not in ("auto", None):
            raise ValueError("strategy and phases are both given: keep one of them")
        if self.phases is None and self.strategy is None:
            raise ValueError("strategy and phases are both null: nothing would be trained")
        if (
            isinstance(self.batch_size, int)
            and self.accumulate > 1
            and self.batch_size % self.accumulate
        ):
            raise ValueError(
                f"batch_size {self.batch_size} is not a multiple of accumulate {self.accumulate}"
            )
        return self


class Test(Section):
    """The final estimate."""

    __test__ = False  # not a pytest class
    open: bool = Field(False, description="open the seal at the end of this run")


class Recipe(Section):
    """What the user asked for. Two lines, model and data, are a normal recipe."""

    task: Literal[
        "auto",
        "text-classification",
        "text-multi-label",
        "text-regression",
        "image-classification",
        "text-generation",
        "preference",
    ] = Field(
        "auto",
        description="one label for each text, any number of labels, or a number; one label for "
        "each picture; or texts without labels: answers to write, or which of two is preferred",
    )
    backend: Literal["torch", "keras", "openai"] = Field(
        "torch",
        description="what trains: a framework on this machine, or with openai a service that speaks "
        "OpenAI's fine-tuning API",
    )
    name: str | None = Field(None, description="part of the run folder's name")
    seed: Annotated[int, Field(ge=0, lt=2**31)] = 0
    model: str = Field(
        "minilm",
        description="catalog name, local folder, hub id, or the folder of a run; auto: the one of "
        "the catalog's that a probe on the rows likes best",
    )
    revision: str | None = Field(None, description="commit of a hub model")
    data: Data = Field(default_factory=Data)
    adapt: Adapt = Field(default_factory=Adapt)
    train: Train = Field(default_factory=Train)
    augment: Augment = Field(default_factory=Augment)
    tune: Tune = Field(default_factory=Tune)
    evaluate: Evaluate = Field(default_factory=Evaluate)
    service: Service = Field(default_factory=Service)
    test: Test = Field(default_factory=Test)

    @model_validator(mode="after")
    def _a_service_is_for_its_backend(self) -> Recipe:
        if self.backend != "openai" and self.service != Service():
            raise ValueError(
                f"the section service is for backend openai, and the backend is {self.backend}: "
                "write backend: openai, or leave service out"
            )
        return self

    @model_validator(mode="after")
    def _keras_has_what_is_asked(self) -> Recipe:
        if self.backend != "keras":
            return self
        lacking = {
            f"adapt.method is {self.adapt.method}": self.adapt.method in ("dora", "rslora"),
            "train.checkpointing is on": self.train.checkpointing == "on",
            "adapt.new_tokens is given": bool(self.adapt.new_tokens),
            f"adapt.quantization is {self.adapt.quantization}": self.adapt.quantization != "none",
            "adapt.pooling is mean": self.adapt.pooling == "mean",
            "train.contrastive is on": self.train.contrastive == "on",
            "augment is given": self.augment.methods != "none" or self.augment.mix_up > 0,
        }
        for asked in (each for each, holds in lacking.items() if holds):
            raise ValueError(
                f"{asked}, which backend keras does not have: write backend: torch, or "
                f"leave {asked.split()[0]} out"
            )
        return self

    @model_validator(mode="after")
    def _head_only_means_no_blocks(self) -> Recipe:
        deep = self.train.phases and any(phase.blocks != 0 for phase in self.train.phases)
        wants_more = self.train.strategy in ("staged", "full")
        if self.adapt.method == "head" and (deep or wants_more):
            raise ValueError("adapt.method is head, but train asks for more layers than the head")
        return self

    @model_validator(mode="after")
    def _adapters_are_trained(self) -> Recipe:
        phases, strategy = self.train.phases, self.train.strategy
        idle = strategy == "head" if phases is None else all(p.blocks == 0 for p in phases)
        if self.adapt.has_adapters and idle:
            raise ValueError(
                f"adapt.method is {self.adapt.method}, but train asks for the head alone: "
                "write adapt.method: head, or train blocks too"
            )
        return self
