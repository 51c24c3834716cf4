"""A block on top of a sentence encoder, so that the head reads the mean of all tokens.

Sentence encoders were trained on that mean, but the heads of Transformers read the first token. In
the block each token attends to all alike, and adds their mean to its own state so strongly that
little else is left. It is a block like those below, so the folder loads without Tunewright.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from torch import nn

TYPES = ("bert", "roberta", "xlm-roberta", "camembert")
MEAN = 1000.0  # times the mean is added to a token's own state
BELOW_BEND = 0.05  # of tanh: the states have a length of 1 a number


def reads_mean(path: Path, config: Any) -> bool:
    """Whether the folder is of a sentence encoder that was trained on the mean of its tokens."""
    try:
        pooling = json.loads((path / "1_Pooling" / "config.json").read_text("utf-8"))
    except (OSError, ValueError):
        return False
    modes = {key for key, value in pooling.items() if key.startswith("pooling_mode") and value}
    return modes == {"pooling_mode_mean_tokens"} and can_read_mean(config)


def can_read_mean(config: Any) -> bool:
    """Whether such a block can be put on the model."""
    return config.model_type in TYPES and not getattr(config, "is_decoder", False)


def put_mean_block(model: Any) -> None:
    """Give the last block, whose weights are new, the weights that make it the mean."""
    block = model.base_model.encoder.layer[-1]
    attention = block.attention
    for module in block.modules():
        if isinstance(module, nn.Dropout):  # of one vector a row, where others drop of each token
            module.p = 0.0
    with torch.no_grad():
        for layer in (attention.self.query, attention.self.key, block.intermediate.dense):
            layer.weight.zero_()
            layer.bias.zero_()
        block.output.dense.weight.zero_()
        block.output.dense.bias.zero_()
        for layer in (attention.self.value, attention.output.dense):
            _scale(layer, MEAN**0.5)
        for norm in (attention.output.LayerNorm, block.output.LayerNorm):
            norm.weight.fill_(1.0)
            norm.bias.zero_()
        _scale(_before_tanh(model), BELOW_BEND)


def _before_tanh(model: Any) -> nn.Linear:
    pooler = getattr(model.base_model, "pooler", None)
    found: nn.Linear = model.classifier.dense if pooler is None else pooler.dense
    return found


def _scale(layer: nn.Linear, factor: float) -> None:
    layer.weight.copy_(factor * torch.eye(len(layer.weight)))
    layer.bias.zero_()
