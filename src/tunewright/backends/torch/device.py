"""The device, its threads and its memory, set for the life of one training process."""

from __future__ import annotations

import ctypes
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

CPU_TOKENS = 1024  # products of this many rows run at a processor's full rate
CPU_FEWEST_TOKENS = 256  # and these do, where a row is wide
NARROW = 384  # numbers for each token
GPU_TOKENS = 1 << 16
MEASURE_S = 0.15
ROWS = 1024
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def pick_device() -> torch.device:
    """The accelerator that PyTorch sees, else the processor."""
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def product_rate(width: int, kind: torch.dtype, device: torch.device) -> float:
    """GFLOP/s of the matrix products of a block `width` wide, measured."""
    left = torch.ones(ROWS, width, dtype=kind, device=device)
    right = torch.ones(4 * width, width, dtype=kind, device=device)

    def multiply() -> None:
        nn.functional.linear(left, right)
        if device.type != "cpu":
            getattr(torch, device.type).synchronize()

    multiply()  # the first one also chooses how
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < MEASURE_S:
        multiply()
        count += 1
    seconds = time.perf_counter() - started
    return count * 2 * ROWS * right.numel() / seconds / 1e9


def device_facts(width: int) -> dict[str, Any]:
    """Which device would train, and GFLOP/s of its products; None for a type it does not know."""

    def rate(kind: torch.dtype) -> float | None:
        try:
            return round(product_rate(width, kind, device), 1)
        except RuntimeError:
            return None

    device = pick_device()
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor()
    return {
        "kind": device.type,
        "name": name,
        "threads": torch.get_num_threads(),
        "fp32_gflops": rate(torch.float32),
        "bf16_gflops": rate(torch.bfloat16),
    }


def most_tokens(device: torch.device, width: int) -> int:
    """Tokens that go through a model at once in training; more would cost memory for nothing.

    Args:
        width: of the model, numbers for each token.
    """
    if device.type != "cpu":
        return GPU_TOKENS
    return min(CPU_TOKENS, max(CPU_FEWEST_TOKENS, CPU_TOKENS * NARROW**2 // width**2))


def set_threads(threads: int) -> None:
    """Let matrix products use this many processor threads."""
    if torch.get_num_threads() != threads:
        torch.set_num_threads(threads)


def seed_device(device: torch.device, seed: int) -> None:
    """Decide PyTorch's own next draws on this device.

    `torch.manual_seed` would note a call for every kind of device that is not there, each time.
    """
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def keep_freed_memory() -> None:
    """Ask the C library to reuse large blocks instead of returning them to the kernel.

    A training step frees and asks for the same large blocks again; each time the kernel
    would hand out fresh zeroed pages. On two cores this alone cost a tenth of a step.
    """
    with _c_library() as library:
        library.mallopt(_M_MMAP_THRESHOLD, 1 << 30)
        library.mallopt(_M_TRIM_THRESHOLD, 1 << 30)


def return_freed_memory() -> None:
    """Give the kernel what is free now: blocks of other sizes will be asked for."""
    with _c_library() as library:
        library.malloc_trim(0)


@contextmanager
def _c_library() -> Iterator[ctypes.CDLL]:
    """Within, what the C library of this system does not have is left."""
    with suppress(OSError, AttributeError):
        yield ctypes.CDLL(None)
