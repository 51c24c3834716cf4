"""How much memory this process took at most."""

from __future__ import annotations

import re
import sys
from pathlib import Path

STATUS = Path("/proc/self/status")
CLEAR = Path("/proc/self/clear_refs")
PEAK = "5"  # the kernel's word for it


def peak_memory_mib() -> float | None:
    """Largest resident set of this process so far; None where the system does not tell.

    Linux's own count begins with the program; that of `getrusage` with the process that forked it.
    """
    try:
        found = re.search(r"^VmHWM:\s+(\d+) kB", STATUS.read_text(), re.MULTILINE)
        if found:
            return round(int(found[1]) / 1024, 1)
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return None
    unit = 1 if sys.platform == "darwin" else 1024
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20, 1)


def forget_peak() -> float | None:
    """Begin to count the largest resident set anew, from the present one, which is given.

    None where the system cannot.
    """
    try:
        CLEAR.write_text(PEAK)
    except OSError:
        return None
    return peak_memory_mib()
