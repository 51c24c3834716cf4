"""What a Python grader may use."""

from __future__ import annotations

import os
from dataclasses import dataclass

MIB = 1 << 20
OPEN_FILES = 64


@dataclass(frozen=True)
class Limits:
    """The most of each; the defaults are those of the hosted graders.

    Args:
        wall_s: of the clock.
        cpu_s: of all its threads together.
        memory_mib: of address space.
        disk_mib: of its own empty folder, which is kept in memory.
        cores: it runs on at most.
    """

    wall_s: float = 120.0
    cpu_s: int = 120
    memory_mib: int = 2048
    disk_mib: int = 1024
    cores: int = 2


def limit_this_process(limits: Limits, *, may_write: bool) -> None:
    """Hold this process to its limits; it cannot lift them again."""
    import resource

    file_bytes = limits.disk_mib * MIB if may_write else 0
    for kind, most in (
        (resource.RLIMIT_AS, limits.memory_mib * MIB),
        (resource.RLIMIT_CPU, limits.cpu_s),
        (resource.RLIMIT_FSIZE, file_bytes),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, before = resource.getrlimit(kind)
        allowed = most if before == resource.RLIM_INFINITY else min(most, before)
        resource.setrlimit(kind, (allowed, allowed))
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[: limits.cores])
