"""How much memory this process took at most."""

from __future__ import annotations

import sys


def peak_memory_mib() -> float | None:
    """Largest resident set of this process so far; None where the system does not tell."""
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)
