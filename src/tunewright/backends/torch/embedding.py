"""Embedding tables of which only the rows that the training texts use are trained.

Of 30,000 rows a small data set uses a few thousand. The others have no gradient, yet an optimizer
would keep moments for them and walk over them at every step. Here the used rows are gathered into
a small table for the length of a phase; the full table stays the model's weight and is brought up
to date after every step. Rows that no training text uses keep their pre-trained values exactly.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from transformers import PreTrainedModel

SMALLEST = 1 << 20  # numbers in a table; smaller ones are not worth it
MOST_USED = 0.8  # of a table's rows


class UsedRows(nn.Embedding):
    """An `nn.Embedding` whose used rows are trained as a table of their own."""

    used: torch.Tensor
    place: torch.Tensor
    compact: torch.Tensor | None  # from the first phase on that trains it

    @classmethod
    def take_over(cls, embedding: nn.Embedding, used: np.ndarray) -> UsedRows:
        """Turn an embedding into this class, in place; its weight stays the same object.

        Args:
            used: int (rows), the ids that training may ask for, each once.
        """
        embedding.__class__ = cls
        rows = torch.from_numpy(used.astype(np.int64)).to(embedding.weight.device)
        place = torch.full((embedding.num_embeddings,), -1, device=rows.device)
        place[rows] = torch.arange(len(rows), device=rows.device)
        vars(embedding).update(
            used=rows, place=place, compact=None
        )  # not buffers: they are not saved
        assert isinstance(embedding, cls)  # noqa: S101 - for the type checker
        return embedding

    def gather(self) -> torch.Tensor:
        """(used rows, width): what to give the optimizer in place of the weight."""
        with torch.no_grad():
            compact = self.weight[self.used].clone().requires_grad_(True)
        vars(self).update(compact=compact)
        return compact

    def write_back(self) -> None:
        """Bring the weight up to date."""
        if self.compact is None:
            raise RuntimeError("write_back before gather")
        with torch.no_grad():
            self.weight.index_copy_(0, self.used, self.compact)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        """(…,) ids to (…, width), as `nn.Embedding`."""
        learns = self.training and torch.is_grad_enabled() and self.weight.requires_grad
        if self.compact is None or not learns:
            return super().forward(input)
        padding = None if self.padding_idx is None else int(self.place[self.padding_idx])
        return functional.embedding(self.place[input], self.compact, padding)


def take_over_large_tables(model: PreTrainedModel, used: np.ndarray) -> dict[str, UsedRows]:
    """Take over the large tables that hold the tokens' vectors and that no other module shares.

    Args:
        used: int (rows), the token ids of the training part and of padding.
    Returns:
        name of the weight, as in `named_parameters`, to table.
    """
    owners: dict[int, int] = {}
    for module in model.modules():
        for parameter in module._parameters.values():
            if parameter is not None:
                owners[id(parameter)] = owners.get(id(parameter), 0) + 1
    words = model.get_input_embeddings()
    found = {
        name: module
        for name, module in model.named_modules()
        if module is words
        and type(module) is nn.Embedding
        and module.weight.numel() >= SMALLEST
        and len(used) <= MOST_USED * module.num_embeddings
        and owners[id(module.weight)] == 1
        and module.max_norm is None
        and not module.sparse
        and not module.scale_grad_by_freq
    }
    tables = {}
    for name, table in found.items():
        extra = [] if table.padding_idx is None else [table.padding_idx]
        tables[f"{name}.weight"] = UsedRows.take_over(table, np.union1d(used, extra))
    return tables
