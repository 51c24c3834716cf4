"""Whether what blocks keep for the way back is kept, or computed again when it is needed.

Chen et al. 2016, Training deep nets with sublinear memory cost.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import psutil
import torch
from transformers import PreTrainedModel

from tunewright.backends.torch.dropout import Draws
from tunewright.errors import RecipeError

FREE_SHARE = 0.5  # of the free memory that activations may take
MOMENTS = 3  # a gradient and two moments of each weight that learns
TRIED_TOKENS = 64
MIB, GIB = 1 << 20, 1 << 30


def choose(asked: str, model: PreTrainedModel, need: int, free: int) -> tuple[str, str]:
    """`on` or `off`, and why.

    Args:
        asked: auto, on or off.
        need: bytes of activations of a step. free: bytes for them and for all else.
    Raises:
        RecipeError: it is asked for, and this architecture does not know how.
    """
    able = bool(getattr(model, "supports_gradient_checkpointing", False))
    if asked == "on" and not able:
        raise RecipeError(
            f"train.checkpointing is on, which {type(model).__name__} does not have",
            fix="write train.checkpointing: auto",
        )
    if asked != "auto":
        return asked, "asked for"
    if need <= FREE_SHARE * free:  # how much is free differs from run to run
        return "off", f"activations of a step take {_size(need)}, and twice that is free"
    seen = f"activations of a step take {_size(need)}, {_size(free)} are free"
    if not able:
        return "off", f"{seen}, and {type(model).__name__} cannot compute them again"
    return "on", f"{seen}: blocks are computed again on the way back, which costs a third more time"


def compute_again(model: PreTrainedModel, draws: Draws) -> None:
    """Have each block keep nothing but what entered it. Dropout draws the same numbers again."""
    foreign: Any = model
    # the second name is that of Transformers before 5.23
    enable = getattr(foreign, "activation_checkpointing_enable", None)
    enable = enable or foreign.gradient_checkpointing_enable
    enable({"use_reentrant": False, "context_fn": draws.twice})


def bytes_kept(
    call: Callable[[np.ndarray], torch.Tensor], rows: np.ndarray, model: torch.nn.Module
) -> int:
    """What a call of the model on some rows keeps for the way back, beside weights."""
    own = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage
        return tensor

    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(pack, lambda kept: kept):
        answer = call(rows)
    del answer
    return sum(storage.nbytes() for storage in kept.values())


def tried_row(lengths: np.ndarray) -> int:
    """The longest row that is cheap to try, else the shortest."""
    short = np.where(lengths <= TRIED_TOKENS, lengths, -1)
    return int(short.argmax() if short.max() > 0 else lengths.argmin())


def tokens_at_once(lengths: np.ndarray, rows: int, most: int) -> int:
    """Tokens of the largest piece that a step is computed in.

    Args:
        rows: of a step's part. most: tokens beyond which a part is cut, though never within a row.
    """
    longest = int(lengths.max())
    return min(rows * longest, max(most, longest))


def free_bytes(device: torch.device) -> int:
    """Memory that is free where the model is."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)


def _size(count: int) -> str:
    return f"{count / GIB:.1f} GiB" if count >= GIB else f"{max(0, count) / MIB:.0f} MiB"
