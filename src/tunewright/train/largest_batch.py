"""The largest batch that fits in memory, found by true steps on the longest rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

LONGEST_S = 10.0  # a step that would take longer is not tried


@dataclass(frozen=True)
class LargestBatch:
    """rows: that fit; tried: the largest batch that a step was made with; per_row_mib: by which
    a row more raises the peak; limited_by: memory or rows (there are no more to train on)."""

    rows: int
    tried: int
    per_row_mib: float
    limited_by: str


def largest_batch(
    step: Callable[[int], tuple[float, float]], *, start: int, rows: int, limit_mib: float
) -> LargestBatch:
    """Double the batch while it is known to fit and cheap to try; halve it when it does not.

    What lies beyond is foretold by how the peak grew, never tried.

    Args:
        step: batch size to (peak MiB, seconds) of one step.
        start: tried first. rows: of training. limit_mib: that the peak may reach.
    """
    size = min(start, rows)
    peaks: dict[int, float] = {}
    while size >= 1:
        peak, seconds = step(size)
        peaks[size] = peak
        if peak > limit_mib:
            if min(peaks) < size or size == 1:
                break
            size //= 2
            continue
        bigger = min(rows, 2 * size)
        foretold = peak + _per_row(peaks) * (bigger - size) if len(peaks) > 1 else 2 * peak
        too_slow = seconds * bigger / size > LONGEST_S
        if bigger == size or bigger in peaks or foretold > limit_mib or too_slow:
            break
        size = bigger
    fitting = [each for each, peak in peaks.items() if peak <= limit_mib]
    if not fitting:
        return LargestBatch(0, min(peaks), _per_row(peaks), "memory")
    return _foretold(peaks, max(fitting), rows, limit_mib)


def _foretold(peaks: dict[int, float], tried: int, rows: int, limit_mib: float) -> LargestBatch:
    per_row = _per_row(peaks)
    most = rows if per_row <= 0 else tried + int((limit_mib - peaks[tried]) / per_row)
    too_large = [size for size, peak in peaks.items() if peak > limit_mib]
    found = min(rows, most, *(size - 1 for size in too_large))
    return LargestBatch(found, tried, round(per_row, 3), "rows" if found == rows else "memory")


def _per_row(peaks: dict[int, float]) -> float:
    """MiB by which the peak grew for each row, between the two largest batches."""
    if len(peaks) < 2:
        return 0.0
    small, large = sorted(peaks)[-2:]
    return max(0.0, (peaks[large] - peaks[small]) / (large - small))
