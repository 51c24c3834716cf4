"""Whether blocks are a chain: what one hands on to those above is its state and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn

from tunewright.backends.torch.watch import call_once, tensors, with_state


def chain_length(
    model: nn.Module, blocks: Sequence[nn.Module], example: Mapping[str, torch.Tensor]
) -> int:
    """How many blocks, from the bottom, hand on their state to the next and to no other block.

    An encoder and its decoder are two chains: each block of the decoder sees the encoder's last
    state beside that of the block below it. The length found is the encoder's.

    Args:
        blocks: bottom to top, each called once.
        example: arguments of one forward call. In it, no weight asks for a gradient, but every
            block's state does: what asks for one comes from a block.
    """
    mark = torch.zeros((), requires_grad=True)
    broken: list[int] = []

    def enter(index: int, given: Any) -> None:
        state, *others = tensors(given)
        if not state.requires_grad or any(other.requires_grad for other in others):
            broken.append(index)

    def leave(_: nn.Module, __: tuple[Any, ...], answer: Any) -> Any:
        return with_state(answer, next(tensors(answer)) + mark)

    hooks = [block.register_forward_hook(leave) for block in blocks]
    for index, block in enumerate(blocks[1:], start=1):
        hooks.append(
            block.register_forward_pre_hook(
                lambda _, *given, index=index: enter(index, given), with_kwargs=True
            )
        )
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    try:
        for parameter in learning:
            parameter.requires_grad_(False)
        with torch.enable_grad():
            call_once(model, example, hooks)
    finally:
        for parameter in learning:
            parameter.requires_grad_(True)
    return min(broken, default=len(blocks))
