"""How many processor cores this process may use."""

from __future__ import annotations

import os
from pathlib import Path

SPINS = 10_000  # some 70 microseconds; OpenMP's own 300,000 hold a core that others want
CGROUP_QUOTA = Path("/sys/fs/cgroup/cpu.max")


def usable_cores() -> int:
    """Cores of the process's affinity, cut down to its container's quota; at least one.

    OMP_NUM_THREADS, where it is set, is the most that are used.
    """
    if hasattr(os, "sched_getaffinity"):
        cores = len(os.sched_getaffinity(0))
    else:
        cores = os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    most = int(asked) if asked.isdigit() else cores
    return max(1, int(min(cores, most, quota_cores(CGROUP_QUOTA))))


def wait_briefly() -> None:
    """Have threads that wait for each other sleep soon; before the OpenMP library is loaded.

    Beside other busy processes a training is faster so.
    """
    os.environ.setdefault("GOMP_SPINCOUNT", str(SPINS))


def quota_cores(path: Path) -> float:
    """The quota of a cgroup: its file holds `max 100000` or `150000 100000`."""
    try:
        quota, period = path.read_text(encoding="ascii").split()
        return float("inf") if quota == "max" else float(quota) / float(period)
    except (OSError, ValueError, ZeroDivisionError):
        return float("inf")
