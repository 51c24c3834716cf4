"""The last linear layer of a classification head."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import numpy as np
import torch
from torch import nn

from tunewright.backends.answers import Answers
from tunewright.errors import ModelError


def last_linear(model: nn.Module, num_labels: int) -> nn.Linear:
    """The layer that answers with one number per label."""
    found = [
        m for m in model.modules() if isinstance(m, nn.Linear) and m.out_features == num_labels
    ]
    if not found:
        raise ModelError(
            f"{type(model).__name__} has no linear layer with {num_labels} outputs",
            fix="choose a model with a linear classification head",
        )
    return found[-1]


def put(layer: nn.Linear, weights: np.ndarray, biases: np.ndarray) -> None:
    """Copy a solution into the layer; a layer without biases takes the weights alone."""
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(weights))
        if layer.bias is not None:
            layer.bias.copy_(torch.from_numpy(biases))


@contextlib.contextmanager
def in_units(layer: nn.Linear, answers: Answers) -> Iterator[None]:
    """Within, the layer gives numbers in the units of the labels."""
    if answers.as_learned:
        yield
        return
    kept = {name: parameter.detach().clone() for name, parameter in layer.named_parameters()}
    with torch.no_grad():
        layer.weight.mul_(answers.spread)
        if layer.bias is not None:
            layer.bias.mul_(answers.spread).add_(answers.centre)
    try:
        yield
    finally:
        with torch.no_grad():
            for name, parameter in layer.named_parameters():
                parameter.copy_(kept[name])
