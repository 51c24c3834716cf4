"""AdamW with a learning rate for each depth."""

from __future__ import annotations

import torch
from torch import nn

from tunewright.backends.torch.blocks import Layout
from tunewright.train.phases import PhasePlan


def make_optimizer(
    model: nn.Module, layout: Layout, phase: PhasePlan, *, weight_decay: float, top: int
) -> torch.optim.AdamW:
    """An optimizer over what this phase trains; everything else stops asking for gradients.

    The head learns at its own rate, the topmost block at the phase's rate, each block below at
    `layer_decay` times the rate of the block above, the embeddings as one more block below.
    Vectors (biases, norms) do not decay. Loshchilov and Hutter 2019, with bias correction.
    """
    parameters = dict(model.named_parameters())
    for parameter in parameters.values():
        parameter.requires_grad_(False)
    groups: dict[tuple[int, bool], list[nn.Parameter]] = {}
    for name, above in layout.trainable(top):
        parameter = parameters[name]
        parameter.requires_grad_(True)
        groups.setdefault((above, parameter.ndim > 1), []).append(parameter)
    return torch.optim.AdamW(
        [
            {
                "params": members,
                "lr": rate_at(phase, above),
                "base_lr": rate_at(phase, above),
                "weight_decay": weight_decay if decays else 0.0,
            }
            for (above, decays), members in groups.items()
        ],
        betas=(0.9, 0.999),
        eps=1e-8,
        fused=all(p.device.type in ("cpu", "cuda") for p in parameters.values()),
    )


def rate_at(phase: PhasePlan, above: int) -> float:
    """The learning rate of the layer with `above` blocks above it; −1 is the head."""
    if above < 0:
        return phase.head_learning_rate
    return phase.learning_rate * phase.layer_decay**above
