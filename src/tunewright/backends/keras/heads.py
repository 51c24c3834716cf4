"""Classification heads as Transformers builds them, so that a model can go back there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from tunewright.backends.keras.framework import Frameworks
from tunewright.backends.keras.ports import Reader
from tunewright.backends.keras.spine import Spine
from tunewright.errors import ModelError


@dataclass(frozen=True)
class Head:
    """What a head reads, and its layers by the names of their weights in Transformers.

    reads: the backbone's pooled vector; the first or the last token's; the first beside the mean of
    the others; or the mean of all. hidden: name and activation of a layer before the last. rate: the
    config's names of the dropout's rate; drops: whether there is dropout at all.
    """

    reads: Literal["pooled", "first", "last", "first and mean", "mean"]
    out: str
    rate: tuple[str, ...]
    hidden: tuple[str, str] | None = None
    dropout_first: bool = False
    drops: bool = True
    bias: bool = True


@dataclass(frozen=True)
class Scores:
    """A head in place: its symbolic scores (rows, labels), what enters the last layer, and that.

    reads: the first or the last token of a row.
    """

    reads: Literal["first", "last"]
    scores: Any
    features: Any
    last: Any


_BERT = Head("pooled", "classifier", ("classifier_dropout", "hidden_dropout_prob"))
_ROBERTA = Head(
    "first",
    "classifier.out_proj",
    ("classifier_dropout", "hidden_dropout_prob"),
    hidden=("classifier.dense", "tanh"),
    dropout_first=True,
)
_PICTURES = {
    "vit": Head("first", "classifier", (), drops=False),
    "deit": Head("first", "classifier", (), drops=False),
    "dinov2": Head("first and mean", "classifier", (), drops=False),
    "swin": Head("mean", "classifier", (), drops=False),
}
_DECODER = Head("last", "score", (), bias=False)
HEADS = {
    "bert": _BERT,
    "albert": Head("pooled", "classifier", ("classifier_dropout_prob",)),
    "distilbert": Head(
        "first", "classifier", ("seq_classif_dropout",), hidden=("pre_classifier", "relu")
    ),
    "roberta": _ROBERTA,
    "xlm-roberta": _ROBERTA,
    **dict.fromkeys(
        ("gpt2", "llama", "mistral", "gemma", "gemma2", "qwen2", "qwen3", "smollm3"), _DECODER
    ),
    **_PICTURES,
}


def head_of(kind: str) -> Head:
    """The head of a `model_type`.

    Raises:
        ModelError: none is known.
    """
    if kind not in HEADS:
        raise ModelError(
            f"backend keras cannot classify with a model of the type {kind}",
            fix=f"use backend torch, or a model of one of these: {', '.join(HEADS)}; or, for pictures, "
            "vgg16-edges",
        )
    return HEADS[kind]


def put_head(
    fw: Frameworks, head: Head, spine: Spine, config: Any, reader: Reader, dropout: float | None
) -> Scores:
    """Put a head on a backbone, with the weights that are there.

    Args:
        dropout: None for the config's own.
    """
    keras, outputs = fw.keras, spine.output
    rates = [dropout, *(getattr(config, name, None) for name in head.rate)]
    rate = next((rate for rate in rates if rate is not None), 0.0)

    def drop(state: Any, name: str) -> Any:
        return keras.layers.Dropout(rate, name=name)(state) if head.drops else state

    if head.reads == "pooled":
        state = outputs["pooled_output"]
    else:
        tokens = outputs["sequence_output"] if isinstance(outputs, dict) else outputs
        state = _read(fw, tokens, spine, head.reads)
    if head.dropout_first:
        state = drop(state, "head_dropout")
    if head.hidden is not None:
        name, activation = head.hidden
        dense = keras.layers.Dense(int(state.shape[-1]), activation=activation, name="head_hidden")
        state = dense(state)
        _fill(reader, dense, name, bias=True)
    last = keras.layers.Dense(config.num_labels, use_bias=head.bias, name="scores", dtype="float32")
    scores = last(drop(state, "scores_dropout"))
    _fill(reader, last, head.out, bias=head.bias)
    return Scores("last" if head.reads == "last" else "first", scores, state, last)


def _read(fw: Frameworks, tokens: Any, spine: Spine, which: str) -> Any:
    """(rows, width) of (rows, tokens, width)."""
    ops = fw.keras.ops
    if which == "first":
        return tokens[:, 0, :]
    if which == "mean":
        return ops.mean(tokens, axis=1)
    if which == "first and mean":
        return ops.concatenate([tokens[:, 0, :], ops.mean(tokens[:, 1:], axis=1)], axis=1)
    mask = next(each for each in spine.inputs if each.name == "padding_mask")
    last = ops.sum(ops.cast(mask, "int32"), axis=1) - 1
    return ops.squeeze(ops.take_along_axis(tokens, last[:, None, None], axis=1), axis=1)


def _fill(reader: Reader, dense: Any, name: str, *, bias: bool) -> None:
    reader.port_weight(dense.kernel, f"{name}.weight", lambda weight, _: np.transpose(weight))
    if bias:
        reader.port_weight(dense.bias, f"{name}.bias")
