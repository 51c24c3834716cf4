"""Weights and optimizer state to safetensors files and back."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import nn

from tunewright.backends.torch.optimizer import learning
from tunewright.errors import ModelError

MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def write_tensors(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Write named tensors and return when they are on the disk."""
    with system_errors():
        save_file({name: t.detach().cpu().contiguous() for name, t in tensors.items()}, path)
    with path.open("rb") as file:
        os.fsync(file.fileno())


@contextmanager
def system_errors() -> Iterator[None]:
    """Raise OSError where the writers in Rust, which know no errno, name an "os error"."""
    try:
        yield
    except OSError:
        raise
    except Exception as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None:
            raise
        raise OSError(int(number[1]), os.strerror(int(number[1]))) from error


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Named tensors; shapes and types as written."""
    return load_file(path)


def weights(model: nn.Module, leave_out: Collection[str] = ()) -> dict[str, torch.Tensor]:
    """Every parameter and buffer once, under its first name, but for those that are left out."""
    named = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    return {name: tensor.detach() for name, tensor in named.items() if name not in leave_out}


def put_weights(model: nn.Module, saved: Mapping[str, torch.Tensor]) -> None:
    """Copy saved tensors into the model, in place; the others stay as they are.

    Raises:
        ModelError: the model has no weight of a saved name, or one of another shape.
    """
    there = weights(model)
    for name, tensor in saved.items():
        if name not in there or there[name].shape != tensor.shape:
            raise ModelError(
                f"the saved weight {name} of shape {tuple(tensor.shape)} has no place in the model",
                fix="use the model and the recipe that it was saved with",
            )
    with torch.no_grad():
        for name, tensor in saved.items():
            there[name].copy_(tensor)


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """AdamW's moments and step counts, keyed by moment and weight name."""
    tensors: dict[str, torch.Tensor] = {}
    for name, parameter in learning(optimizer):
        state = optimizer.state.get(parameter)
        if state:
            for moment in MOMENTS:
                tensors[f"{moment}/{name}"] = torch.as_tensor(state[moment])
    return tensors


def put_optimizer(optimizer: torch.optim.Optimizer, saved: Mapping[str, torch.Tensor]) -> None:
    """The inverse of `optimizer_tensors`."""
    for name, parameter in learning(optimizer):
        if f"step/{name}" in saved:
            optimizer.state[parameter] = {
                moment: saved[f"{moment}/{name}"].to(parameter.device, copy=True)
                for moment in MOMENTS
            }
