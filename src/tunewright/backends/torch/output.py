"""The output layer of a language model, asked only for tokens that are learned, a few at a time.

P places, V tokens that the model knows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import nn
from torch.nn import functional

from tunewright.errors import ModelError

NUMBERS_AT_ONCE = 1 << 24  # scores that are held at once: 64 MiB in fp32


class Output:
    """The last layer of a causal language model, apart from the layers below it.

    Raises:
        ModelError: the model has none.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = cast("Any", model)
        if self.model.get_output_embeddings() is None:
            raise ModelError(
                f"{type(model).__name__} has no layer that gives scores of tokens",
                fix="choose a causal language model",
            )
        self.config: Any = self.model.config
        self._caught: list[torch.Tensor] = []

    @property
    def layer(self) -> nn.Module:
        """The layer, or what stands around it where rows of it learn."""
        found: nn.Module = self.model.get_output_embeddings()
        return found

    @contextmanager
    def left_out(self) -> Iterator[None]:
        """Within, a call of the model computes no scores; `states` gives what they are made from."""

        def catch(_: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...]:
            self._caught.append(args[0])
            return (args[0][:, :0], *args[1:])

        hook = self.layer.register_forward_pre_hook(catch)
        try:
            yield
        finally:
            hook.remove()

    def states(self) -> torch.Tensor:
        """(rows, tokens, width): what entered the layer in the last call."""
        return self._caught.pop()

    def scores(self, states: torch.Tensor) -> torch.Tensor:
        """float32 (P, V): scores of every token, from states (P, width)."""
        found: torch.Tensor = self.layer(states).float()
        cap = getattr(self.config, "final_logit_softcapping", None)
        if cap:
            found = cap * torch.tanh(found / cap)
        return (
            found
            * (getattr(self.config, "logit_scale", None) or 1.0)
            / (getattr(self.config, "logits_scaling", None) or 1.0)
        )

    def measure(
        self, states: torch.Tensor, targets: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """float32 (P): nats that each target costs; bool (P): whether it has the highest score.

        Args:
            states: (P, width). targets: int64 (P), the token that comes next.
        """
        nats, right = [], []
        for part, target in self._chunks(states, targets):
            scores = self.scores(part)
            nats.append(functional.cross_entropy(scores, target, reduction="none"))
            right.append(scores.argmax(dim=1) == target)
        return torch.cat(nats), torch.cat(right)

    def learn(
        self, states: torch.Tensor, targets: torch.Tensor, weights: torch.Tensor | float
    ) -> torch.Tensor:
        """Add the gradients of the weighted sum of nats, in the model and here; the plain sum.

        Scores, and their gradients, are held for a few places at a time.

        Args:
            states: (P, width), with a graph. weights: (P), or one for all.
        """
        start = states.detach().requires_grad_()
        total = torch.zeros((), device=states.device)
        taken = 0
        for part, target in self._chunks(start, targets):
            nats = functional.cross_entropy(self.scores(part), target, reduction="none")
            own = weights
            if isinstance(weights, torch.Tensor):
                own = weights[taken : taken + len(target)]
                taken += len(target)
            (nats * own).sum().backward()
            total += nats.detach().sum()
        if states.requires_grad and start.grad is not None:
            states.backward(start.grad)
        return total

    def _chunks(
        self, states: torch.Tensor, targets: torch.Tensor
    ) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
        size = max(1, NUMBERS_AT_ONCE // int(self.config.vocab_size))
        return zip(states.split(size), targets.split(size), strict=True)
