"""What a model does in one forward call: which modules are entered, in which order, and when left.

The state is the first tensor of what a module is given or answers with; everything that blocks
hand on from one to the next is looked at here.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn


@dataclass
class Call:
    """One call of a module. Times count the events of the whole forward call.

    `changes_shape` says whether the state leaves the module in another shape than it entered.
    """

    module: nn.Module
    entered: int
    left: int = -1
    changes_shape: bool = False


def watch(model: nn.Module, example: Mapping[str, torch.Tensor]) -> list[Call]:
    """All calls of the model's modules during one forward call, in order of entering.

    Args:
        example: arguments of the forward call.
    """
    calls: list[Call] = []
    open_calls: list[tuple[Call, torch.Size | None]] = []
    events = iter(range(1 << 62))

    def enter(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        calls.append(Call(module, next(events)))
        given = next(tensors((args, kwargs)), None)
        open_calls.append((calls[-1], None if given is None else given.shape))

    def leave(module: nn.Module, _: tuple[Any, ...], answer: Any) -> None:
        call, shape = open_calls.pop()
        while call.module is not module:  # one that was left by an exception
            call, shape = open_calls.pop()
        call.left = next(events)
        state = next(tensors(answer), None)
        call.changes_shape = state is None or state.shape != shape

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    for module in model.modules():
        hooks.append(module.register_forward_pre_hook(enter, with_kwargs=True))
        hooks.append(module.register_forward_hook(leave))
    with torch.no_grad():
        call_once(model, example, hooks)
    return calls


def call_once(
    model: nn.Module,
    example: Mapping[str, torch.Tensor],
    hooks: list[torch.utils.hooks.RemovableHandle],
) -> Any:
    """The answer in evaluation mode; afterwards modes are as before and the hooks are gone."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        return model(**example)
    finally:
        for module in training:
            module.training = True
        for hook in hooks:
            hook.remove()


def tensors(value: Any) -> Iterator[torch.Tensor]:
    """The tensors in arguments or in an answer, however nested."""
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from tensors(part)
    elif isinstance(value, tuple | list):
        for part in value:
            yield from tensors(part)


def with_state(answer: Any, state: torch.Tensor) -> Any:
    """A block's answer with another state in it; blocks answer with a tensor or a tuple."""
    return (state, *answer[1:]) if isinstance(answer, tuple) else state
