"""Embedding tables whose gradient touches only the rows that a batch reads.

PyTorch fills a gradient as large as the table, twice, for every step; of 30,000 rows a batch
reads a few hundred. The gradient kept here is the same dense array, so the optimizer's answer is
the same; only the zeroing and adding of untouched rows is left out.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional

SMALLEST = 1 << 20  # numbers in a table; smaller ones are not worth it


class _Lookup(torch.autograd.Function):
    """The table reaches `forward` as a constant; `anchor` asks for the backward call."""

    @staticmethod
    def forward(ctx: Any, anchor: torch.Tensor, ids: torch.Tensor, table: Any) -> torch.Tensor:
        ctx.save_for_backward(ids)
        ctx.table = table
        return functional.embedding(ids, table.weight.detach())

    @staticmethod
    def backward(ctx: Any, *gradients: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        (ids,) = ctx.saved_tensors
        ctx.table.add_gradient(ids.reshape(-1), gradients[0].flatten(0, -2))
        return torch.zeros(1, device=ids.device), None, None


class TouchedRows(nn.Embedding):
    """An `nn.Embedding` that remembers which rows of its gradient are not zero."""

    touched: list[torch.Tensor]

    @classmethod
    def take_over(cls, embedding: nn.Embedding) -> None:
        """Turn an embedding into this class, in place; its weight stays the same object."""
        embedding.__class__ = cls
        embedding.touched = []  # type: ignore[assignment]  # of the new class, not of the old

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(…,) ids to (…, width), as `nn.Embedding`."""
        if not (self.training and torch.is_grad_enabled() and self.weight.requires_grad):
            return super().forward(input)
        anchor = torch.zeros(1, device=input.device, requires_grad=True)
        return _Lookup.apply(anchor, input, self)  # type: ignore[no-any-return]

    def add_gradient(self, ids: torch.Tensor, gradient: torch.Tensor) -> None:
        """Add (ids, width) to the rows named; the padding row never learns."""
        if self.weight.grad is None:
            self.weight.grad = torch.zeros_like(self.weight)
        if self.padding_idx is not None:
            gradient = gradient * (ids != self.padding_idx).unsqueeze(-1)
        self.weight.grad.index_add_(0, ids, gradient.to(self.weight.dtype))
        self.touched.append(ids.unique())

    def clear_gradient(self) -> None:
        """Zero the rows that were touched."""
        if self.weight.grad is not None and self.touched:
            self.weight.grad.index_fill_(0, torch.cat(self.touched).unique(), 0.0)
            self.touched.clear()


def watch_large_tables(model: nn.Module) -> list[TouchedRows]:
    """Take over the model's large embedding tables that no other module shares."""
    owners: dict[int, int] = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    tables = [
        module
        for module in model.modules()
        if type(module) is nn.Embedding
        and module.weight.numel() >= SMALLEST
        and owners[id(module.weight)] == 1
        and module.max_norm is None
        and not module.sparse
        and not module.scale_grad_by_freq
    ]
    for table in tables:
        TouchedRows.take_over(table)
    return [module for module in model.modules() if isinstance(module, TouchedRows)]
