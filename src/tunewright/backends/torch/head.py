"""The last linear layer of a classification head."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

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
