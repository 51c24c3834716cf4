"""Where a server's log goes: to stderr, a line for each thing."""

from __future__ import annotations

import logging
import sys


def write_logs() -> None:
    """Write what the server and its worker tell to stderr; other libraries tell warnings alone."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.getLogger("tunewright.serve").setLevel(logging.INFO)
