"""Classes of KerasHub, and the model of Transformers that computes the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tunewright.errors import ModelError

OF_KERAS = ("name", "trainable", "dtype", "data_format")  # keys that say nothing of the model


@dataclass(frozen=True)
class Family:
    """One class of KerasHub.

    Args:
        model_type: of the model in Transformers.
        names: key of the class to the keys that say the same in Transformers.
        facts: what the class takes for granted, as Transformers says it.
        only: the one value of a key that Transformers has the model for.
        spare_positions: rows of positions that Transformers has more, for padding.
    """

    model_type: str
    names: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, Any]
    only: Mapping[str, Any] = field(default_factory=dict)
    spare_positions: int = 0


_ENCODER = {
    "vocabulary_size": ("vocab_size",),
    "num_layers": ("num_hidden_layers",),
    "num_heads": ("num_attention_heads",),
    "hidden_dim": ("hidden_size",),
    "intermediate_dim": ("intermediate_size",),
    "dropout": ("hidden_dropout_prob", "attention_probs_dropout_prob"),
    "max_sequence_length": ("max_position_embeddings",),
}
_SEGMENTS = {"num_segments": ("type_vocab_size",)}
_TANH = "gelu_pytorch_tanh"  # the approximation that Google's own BERT was trained with
_ROBERTA: dict[str, Any] = {
    "names": _ENCODER,
    "facts": {"hidden_act": "gelu", "layer_norm_eps": 1e-5, "type_vocab_size": 1},
    "spare_positions": 2,
}
_PICTURES = {
    "image_shape": ("image_size",),
    "patch_size": ("patch_size",),
    "num_layers": ("num_hidden_layers",),
    "num_heads": ("num_attention_heads",),
    "hidden_dim": ("hidden_size",),
    "dropout_rate": ("hidden_dropout_prob",),
    "attention_dropout": ("attention_probs_dropout_prob",),
    "layer_norm_epsilon": ("layer_norm_eps",),
    "use_mha_bias": ("qkv_bias",),
}
FAMILIES: dict[str, Family] = {
    "BertBackbone": Family(
        "bert",
        _ENCODER | _SEGMENTS,
        {"hidden_act": _TANH, "layer_norm_eps": 1e-12},
    ),
    "DistilBertBackbone": Family(
        "distilbert",
        {
            "vocabulary_size": ("vocab_size",),
            "num_layers": ("n_layers",),
            "num_heads": ("n_heads",),
            "hidden_dim": ("dim",),
            "intermediate_dim": ("hidden_dim",),
            "dropout": ("dropout", "attention_dropout"),
            "max_sequence_length": ("max_position_embeddings",),
        },
        {"activation": "gelu"},
    ),
    "RobertaBackbone": Family("roberta", **_ROBERTA),
    "XLMRobertaBackbone": Family("xlm-roberta", **_ROBERTA),
    "ViTBackbone": Family(
        "vit",
        _PICTURES | {"mlp_dim": ("intermediate_size",)},
        {"hidden_act": "gelu"},
        only=dict.fromkeys(("use_mlp_bias", "use_class_token", "use_patch_bias"), True),
    ),
    "DeiTBackbone": Family(
        "deit",
        _PICTURES | {"intermediate_dim": ("intermediate_size",)},
        {"hidden_act": "gelu", "architectures": ["DeiTForImageClassification"]},
    ),
}


def family_of(config: Mapping[str, Any], place: object) -> tuple[str, Family]:
    """The class that a preset's config.json names, and its family.

    Raises:
        ModelError: it is none that is known here.
    """
    name = class_name(config)
    found = FAMILIES.get(name)
    if found is None:
        raise ModelError(
            f"{place} is a KerasHub preset of {name}, which has no way into Transformers here",
            fix=f"use a preset of one of these: {', '.join(FAMILIES)}; or a Transformers folder",
        )
    return name, found


def class_name(serialized: Mapping[str, Any]) -> str:
    """The class of an object that Keras wrote down, without the package that registered it.

    >>> class_name({"registered_name": "keras_hub>BertBackbone"})
    'BertBackbone'
    """
    name = serialized.get("registered_name") or serialized.get("class_name")
    return str(name).rpartition(">")[2]


def class_arguments(config: Mapping[str, Any], family: Family, place: object) -> dict[str, Any]:
    """What the class is made with: numbers of the preset's config alone, no objects.

    Raises:
        ModelError: a key is missing, unknown, or has a value that Transformers has no model for.
    """
    given = config.get("config")
    if not isinstance(given, Mapping):
        raise _strange(place, "its config holds no values")
    values = {key: value for key, value in given.items() if key not in OF_KERAS}
    for key in family.names.keys() - values.keys():
        raise _strange(place, f"{key} is missing")
    for key, value in values.items():
        if key not in family.names and (
            key not in family.only or value != family.only[key] or value is None
        ):
            raise _strange(place, f"{key} is {value!r}, which {family.model_type} has not")
        _one_number(key, value, place)
    return values


def transformers_config(values: Mapping[str, Any], family: Family, place: object) -> dict[str, Any]:
    """The content of config.json of the same model in Transformers.

    Args:
        values: see `class_arguments`.
    """
    found = {"model_type": family.model_type, **family.facts}
    for key, names in family.names.items():
        found |= dict.fromkeys(names, _one_number(key, values[key], place))
    if family.spare_positions:
        found["max_position_embeddings"] += family.spare_positions
    return found


def _one_number(key: str, value: Any, place: object) -> Any:
    """A size of a square is one number in Transformers; pictures have three colours."""
    sides = value
    if isinstance(value, list):
        sides = value[:-1] if key == "image_shape" and value[-1:] == [3] else value
        sides = sides[0] if sides and all(side == sides[0] for side in sides) else None
    if not isinstance(sides, int | float):
        raise _strange(place, f"{key} is {value!r}, where a number or a square is expected")
    return sides


def _strange(place: object, what: str) -> ModelError:
    return ModelError(
        f"config.json of the KerasHub preset {place} cannot be used: {what}",
        fix="take config.json from the model that the weights belong to",
    )
