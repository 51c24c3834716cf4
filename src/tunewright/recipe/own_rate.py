"""The learning rate of a model where nobody asks for one."""

from __future__ import annotations

BASE_WIDTH, BASE_RATE = 384, 1.5e-4
ADAPTER_RATE = 10.0  # times the rate of whole layers
PREFERENCE_RATE = 0.5  # times the rate of other tasks


def own_rate(width: int, *, adapters: bool, preference: bool) -> float:
    """The rate of a model that is so wide: wider learns slower.

    >>> own_rate(384, adapters=False, preference=False)
    0.00015
    """
    times = times_base(adapters=adapters, preference=preference)
    return float(f"{times * BASE_RATE * BASE_WIDTH / max(1, width):.2g}")


def times_base(*, adapters: bool, preference: bool) -> float:
    """By how much adapters and preferences change the rate of whole layers."""
    return (ADAPTER_RATE if adapters else 1.0) * (PREFERENCE_RATE if preference else 1.0)
