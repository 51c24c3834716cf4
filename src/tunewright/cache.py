"""Where fetched models and examples, and tables of large files, are kept."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def cache_folder() -> Path:
    """TUNEWRIGHT_CACHE, or the platform's cache folder. It may not exist."""
    chosen = os.environ.get("TUNEWRIGHT_CACHE")
    return Path(chosen).expanduser().absolute() if chosen else _platform_cache() / "tunewright"


def _platform_cache() -> Path:
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
