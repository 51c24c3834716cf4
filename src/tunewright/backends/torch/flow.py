"""Which state of which block reaches what lies above: where a model can be cut."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

from tunewright.backends.torch.watch import call_once, tensors, with_state


def possible_cuts(
    model: nn.Module, blocks: Sequence[nn.Module], example: Mapping[str, torch.Tensor]
) -> tuple[int, ...]:
    """Numbers of blocks that may lie below a cut: what lies above sees the last one's state only.

    An encoder can be cut anywhere and a decoder by itself too; but in a model of both, each block
    of the decoder sees the encoder's last state beside that of the block below it, so the cut
    lies within the encoder or at its end.

    Each block's state is exchanged for the same numbers with a mark of their own; which marks
    reach the answer of a block, or the scores, autograd tells exactly, however small their part
    is and whatever way they take.

    Args:
        blocks: bottom to top, each called once.
        example: arguments of one forward call.
    """
    marks: list[torch.Tensor] = []
    reached: list[set[int]] = []  # by the answer of each block, then by the scores

    def leave(_: nn.Module, __: tuple[Any, ...], answer: Any) -> Any:
        reached.append(_reached(answer, marks))
        marks.append(torch.zeros((), requires_grad=True))
        return with_state(answer, next(tensors(answer)).detach() + marks[-1])

    hooks = [block.register_forward_hook(leave) for block in blocks]
    with _weights_without_gradients(model), torch.enable_grad():
        answer = call_once(model, example, hooks)
        reached.append(_reached(getattr(answer, "logits", answer), marks))
    return tuple(
        below
        for below in range(1, len(blocks) + 1)
        if set(range(below)) <= set().union(*reached)
        and all(min(found, default=below) >= below - 1 for found in reached[below:])
    )


def _reached(given: Any, marks: Sequence[torch.Tensor]) -> set[int]:
    """Numbers of the marks that some tensors depend on."""
    found = [tensor for tensor in tensors(given) if tensor.requires_grad]
    if not found or not marks:
        return set()
    ones = [torch.ones_like(tensor) for tensor in found]
    gradients = torch.autograd.grad(found, marks, ones, retain_graph=True, allow_unused=True)
    return {number for number, gradient in enumerate(gradients) if gradient is not None}


@contextmanager
def _weights_without_gradients(model: nn.Module) -> Iterator[None]:
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for parameter in learning:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
