"""A folder of adapters, before a framework is asked to read it."""

from __future__ import annotations

import json
from pathlib import Path

CONFIG_FILE = "adapter_config.json"
OWN_WEIGHTS = ("modules_to_save", "trainable_token_indices")
"""What the configuration names, where more than adapters was trained."""


def holds_adapters_alone(adapter: Path) -> bool:
    """Whether a folder of adapters has no other weights, so that their base can be shared."""
    if not (adapter / CONFIG_FILE).is_file():
        return False
    config = json.loads((adapter / CONFIG_FILE).read_text("utf-8"))
    return not any(config.get(key) for key in OWN_WEIGHTS)
