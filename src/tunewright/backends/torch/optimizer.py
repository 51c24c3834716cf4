"""AdamW with a learning rate for each depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import nn

from tunewright.backends.torch.blocks import Layout
from tunewright.backends.torch.embedding import UsedRows
from tunewright.train.phases import PhasePlan


def make_optimizer(
    model: nn.Module,
    layout: Layout,
    phase: PhasePlan,
    *,
    weight_decay: float,
    tables: Mapping[str, UsedRows],
) -> torch.optim.AdamW:
    """An optimizer over what this phase trains; everything else stops asking for gradients.

    The head learns at its own rate, the topmost block at the phase's rate, each block below at
    `layer_decay` times the rate of the block above, the embeddings as one more block below.
    Vectors (biases, norms) do not decay. Loshchilov and Hutter 2019, with bias correction.

    Args:
        tables: name of a weight to the table of which only the used rows are trained.
    """
    parameters = dict(model.named_parameters())
    for parameter in parameters.values():
        parameter.requires_grad_(False)
    groups: dict[tuple[int, bool], list[tuple[str, torch.Tensor]]] = {}
    for name, above in layout.trainable(phase.blocks):
        parameter = parameters[name]
        parameter.requires_grad_(True)
        moved = tables[name].gather() if name in tables else parameter
        groups.setdefault((above, parameter.ndim > 1), []).append((name, moved))
    return torch.optim.AdamW(
        [
            {
                "params": members,
                "lr": phase.rate_at(above),
                "base_lr": phase.rate_at(above),
                "weight_decay": weight_decay if decays else 0.0,
            }
            for (above, decays), members in groups.items()
        ],
        betas=(0.9, 0.999),
        eps=1e-8,
        fused=all(p.device.type in ("cpu", "cuda") for p in parameters.values()),
    )


def learning(optimizer: torch.optim.Optimizer) -> Iterator[tuple[str, torch.Tensor]]:
    """(name of the weight, what is trained for it) of everything that the optimizer moves."""
    for group in optimizer.param_groups:
        yield from zip(group["param_names"], group["params"], strict=True)
