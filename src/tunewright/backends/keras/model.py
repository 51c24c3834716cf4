"""A Transformers folder as a Keras classifier that gives the same scores, cut where it is asked."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from tunewright.backends.keras.framework import Frameworks
from tunewright.backends.keras.heads import Scores, head_of, put_head
from tunewright.backends.keras.optimizer import Weight
from tunewright.backends.keras.ports import Port, Reader
from tunewright.backends.keras.spine import Spine, read_above, spine_of
from tunewright.errors import ModelError

DROPOUTS = ("hidden_dropout_prob", "dropout", "resid_pdrop")
NORM_EPSILONS = ("layer_norm_eps", "layer_norm_epsilon", "rms_norm_eps")
INPUTS = {
    "token_ids": "input_ids",
    "padding_mask": "attention_mask",
    "segment_ids": "token_type_ids",
}


@dataclass(frozen=True)
class Classifier:
    """A Keras model and its parts.

    Args:
        spine: what lies below the head.
        head: its symbolic scores, what enters the last layer, and that layer.
        ports: where each of its weights came from.
        adapters: all that learns below the head, where there are any.
        has_new_head: whether the head learns beside adapters.
    """

    fw: Frameworks
    spine: Spine
    head: Scores
    ports: tuple[Port, ...]
    adapters: tuple[Weight, ...] = ()
    has_new_head: bool = True

    @property
    def num_blocks(self) -> int:
        """Blocks between embeddings and head."""
        return len(self.spine.blocks)

    @cached_property
    def model(self) -> Any:
        """Inputs to scores."""
        return self.fw.keras.Model(self.spine.inputs, self.head.scores)

    @cached_property
    def features(self) -> Any:
        """Inputs to what enters the last layer."""
        return self.fw.keras.Model(self.spine.inputs, self.head.features)

    def trainable(self, top: int) -> list[Weight]:
        """What learns when the top `top` blocks do; with all blocks, the embeddings too.

        Of blocks with adapters these alone.
        """
        height = {
            id(variable): self.num_blocks - 1 - index
            for index, block in enumerate(self.spine.blocks)
            for layer in block
            for variable in layer.trainable_variables
        }
        height |= {id(variable): self.num_blocks for variable in self._embedding()}
        height |= {id(variable): -1 for variable in self._words()}
        idle = {id(variable) for variable in self.spine.idle}
        whole = {id(p.variable): p for p in self.ports if id(p.variable) not in idle}
        highest = top - 1 if top < self.num_blocks else top
        weights = [
            Weight(port.key, variable, height.get(id(variable), -1), port.is_matrix)
            for variable in self.model.trainable_variables
            if (port := whole.get(id(variable))) is not None
        ]
        if self.adapters:
            head = [weight for weight in weights if weight.above < 0 and self.has_new_head]
            weights = [*head, *self.adapters]
        return [weight for weight in weights if weight.above <= highest]

    def below(self, blocks: int) -> Any:
        """Inputs to the state that enters the top `blocks`; only where some lie below."""
        return self.fw.keras.Model(self.spine.inputs, self._border(blocks))

    def above(self, blocks: int, end: Any) -> Any:
        """That state, and the inputs that are still read, to a symbolic end."""
        border = self._border(blocks)
        return self.fw.keras.Model([border, *read_above(border, end)], end)

    def _embedding(self) -> list[Any]:
        """The variables below the lowest block."""
        entry = self.spine.entry
        if any(entry is each for each in self.spine.inputs):
            return []
        found: list[Any] = self.fw.keras.Model(self.spine.inputs, entry).trainable_variables
        return found

    def _words(self) -> list[Any]:
        """The matrix that words are told by, where it is not that of the embedding."""
        matrix = getattr(self.head.last, "reverse_embeddings", None)
        return [] if matrix is None else [matrix]

    def _border(self, blocks: int) -> Any:
        return self.spine.borders[self.num_blocks - 1 - blocks]


def build(
    fw: Frameworks,
    config: Any,
    weights: Mapping[str, np.ndarray],
    *,
    dropout: float | None,
    attention_dropout: bool,
    bf16: bool,
) -> Classifier:
    """The Keras model of a Transformers classifier.

    Args:
        config: of the Transformers model, with its labels.
        weights: all of its weights, by their names there.
        dropout: of the hidden layers, None for the config's own.
        attention_dropout: whether attention weights drop out too.
        bf16: products in bfloat16, weights and scores in fp32.
    Raises:
        ModelError: KerasHub has no such model, or not one that can classify.
    """
    head = head_of(config.model_type)
    policy = "mixed_bfloat16" if bf16 else "float32"
    reader = Reader(weights)
    backbone = _filled(fw, config, reader, dropout, policy)
    spine = spine_of(fw, backbone, config.model_type)
    scores = put_head(fw, head, spine, config, reader, dropout)
    if not attention_dropout:
        _without_attention_dropout(backbone)
    made = Classifier(fw, spine, scores, reader.done())
    refuse_no_way_back(made.model.trainable_variables, made.ports, reader.unread, config.model_type)
    return made


def build_language(
    fw: Frameworks,
    config: Any,
    weights: Mapping[str, np.ndarray],
    *,
    dropout: float | None,
    attention_dropout: bool,
    bf16: bool,
) -> Classifier:
    """The Keras model of a causal language model, up to what its words are told by.

    Args:
        config, weights, dropout, attention_dropout, bf16: see `build`.
    Raises:
        ModelError: KerasHub has no such model, or its words are told by more than one product.
    """
    if head_of(config.model_type).reads != "last" or getattr(
        config, "final_logit_softcapping", None
    ):
        raise ModelError(
            f"backend keras trains no language model of the type {config.model_type}",
            fix="use backend torch, or a Llama, Qwen or GPT-2",
        )
    reader = Reader(weights, words=True)
    backbone = _filled(fw, config, reader, dropout, "mixed_bfloat16" if bf16 else "float32")
    spine = spine_of(fw, backbone, config.model_type)
    if not attention_dropout:
        _without_attention_dropout(backbone)
    words = backbone.token_embedding
    made = Classifier(
        fw,
        spine,
        Scores("last", spine.output, spine.output, words),
        reader.done(),
        has_new_head=False,
    )
    refuse_no_way_back(made.model.trainable_variables, made.ports, (), config.model_type)
    return made


def _filled(fw: Frameworks, config: Any, reader: Reader, dropout: float | None, policy: str) -> Any:
    """KerasHub's backbone with the reader's weights. Raises ModelError where it cannot be made."""
    facts = config.to_dict()
    if not reader.words:
        facts["tie_word_embeddings"] = True  # a classifier predicts none
    converter = converter_of(fw, config.model_type, facts)
    rate = dropout
    if rate is None:
        rate = next((v for n in DROPOUTS if (v := getattr(config, n, None)) is not None), 0.0)
    try:
        shape = converter.convert_backbone_config(facts)
        shape["dropout_rate" if "dropout_rate" in shape else "dropout"] = rate
        if getattr(config, "n_inner", None):
            shape["intermediate_dim"] = config.n_inner
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", ".*with a mask attached to it")  # of Swin's attention
            backbone = converter.backbone_cls(**shape, dtype=policy)
        _as_the_config_says(fw, backbone, config)
        converter.convert_weights(backbone, reader, facts)
        if config.model_type == "roberta":
            _add_only_type(backbone, reader)
        if config.model_type == "swin":
            _note_joined_attention(backbone, reader)
    except Exception as error:  # noqa: BLE001 - whatever a converter makes of a strange config
        raise ModelError(
            f"KerasHub cannot read this {config.model_type}: {type(error).__name__}: {error}",
            fix="use backend torch",
        ) from None
    return backbone


def arguments(model: Any, batch: Mapping[str, np.ndarray], state: Any = None) -> Any:
    """A batch under the names of a Keras model's inputs; `state` goes in as the first of them.

    Args:
        batch: as `Inputs` give it, under the names of Transformers.
    """
    given = []
    for each in model.inputs:
        if "pixel_values" in batch and state is None:
            given.append(batch["pixel_values"].transpose(0, 2, 3, 1))
        elif each.name in INPUTS:
            source = batch.get(INPUTS[each.name])
            given.append(np.zeros_like(batch["input_ids"]) if source is None else source)
        else:
            given.append(state)
    return given


def layers(layer: Any) -> Iterator[Any]:
    """A layer and all within it, once each."""
    seen: set[int] = set()
    todo = [layer]
    while todo:
        each = todo.pop()
        if id(each) not in seen:
            seen.add(id(each))
            yield each
            todo += getattr(each, "_layers", [])


def refuse_no_way_back(
    variables: Sequence[Any], ports: Sequence[Port], unread: Sequence[Any], kind: str
) -> None:
    """Raise ModelError where a converter made a variable of several weights."""
    known = {id(each) for each in (*unread, *(port.variable for port in ports))}
    lost = [each.path for each in variables if id(each) not in known]
    if lost:
        raise ModelError(
            f"of this {kind} in KerasHub {len(lost)} weights have no way back, such as {lost[0]}",
            fix="use backend torch",
        )


def converter_of(fw: Frameworks, kind: str, facts: dict[str, Any]) -> Any:
    """KerasHub's converter of a `model_type`. Raises ModelError where it has none."""
    from importlib import import_module

    loader = import_module("keras_hub.src.utils.transformers.preset_loader")
    try:
        return loader.TransformersPresetLoader("", facts).converter
    except ValueError:
        raise ModelError(
            f"KerasHub {fw.hub.__version__} has no model of the type {kind}",
            fix="use backend torch, or another model",
        ) from None


def _as_the_config_says(fw: Frameworks, backbone: Any, config: Any) -> None:
    """What KerasHub takes for granted and the config may say otherwise."""
    epsilon = next((v for n in NORM_EPSILONS if (v := getattr(config, n, None)) is not None), None)
    named = getattr(config, "hidden_act", getattr(config, "activation", None))
    for layer in layers(backbone):
        for attribute in ("epsilon", "layer_norm_epsilon"):  # the second is what is saved
            if epsilon is not None and hasattr(layer, attribute):
                setattr(layer, attribute, epsilon)
        dense = getattr(layer, "_feedforward_intermediate_dense", None)
        if dense is not None and named == "gelu":  # exact; several models here take tanh for it
            layer.activation = dense.activation = fw.keras.activations.gelu


def _add_only_type(backbone: Any, reader: Reader) -> None:
    """Every token's type is 0: what its embedding adds can be added to the positions."""
    positions = backbone.embeddings.position_embedding.position_embeddings
    positions.assign(positions + reader.get_tensor("embeddings.token_type_embeddings.weight")[0])


def _note_joined_attention(backbone: Any, reader: Reader) -> None:
    """Swin's query, key and value are one layer in KerasHub."""
    for at, stage in enumerate(backbone.stages):
        for index, block in enumerate(stage.blocks):
            block.attn.supports_masking = True  # else Keras warns: it has an argument `mask`
            place = f"encoder.layers.{at}.blocks.{index}.attention.self"
            for which in ("kernel", "bias") if block.attn.qkv.use_bias else ("kernel",):
                name = "weight" if which == "kernel" else "bias"
                keys = [f"{place}.{part}.{name}" for part in ("query", "key", "value")]
                reader.note_joined(getattr(block.attn.qkv, which), keys)


def _without_attention_dropout(backbone: Any) -> None:
    """Nothing drops out of attention weights; the faster attention is used then."""
    for layer in layers(backbone):
        inner = getattr(layer, "_dropout_layer", None)
        if inner is not None and isinstance(getattr(layer, "_dropout", None), float):
            layer._dropout = inner.rate = 0.0
