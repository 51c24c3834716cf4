"""A recipe as a file that people read: only what is asked for, each line with its reason."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from tunewright.recipe.dialect import Dumper


def recipe_text(head: list[str], values: Mapping[str, Any], reasons: Mapping[str, str]) -> str:
    """YAML with the lines of `head` as comments before it.

    Args:
        values: dotted key → value, of one or two parts. reasons: dotted key → why.
    """
    lines = [f"# {_plain(line)}" for line in head]
    section = ""
    for key, value in sorted(values.items(), key=lambda item: _order(item[0], list(values))):
        above, _, last = key.rpartition(".")
        if above != section and above:
            lines.append(f"{above}:")
        section = above
        why = f"  # {_plain(reasons[key])}" if key in reasons else ""
        lines.append(f"{'  ' if above else ''}{last}: {_value(value)}{why}")
    return "\n".join(lines) + "\n"


def _order(key: str, keys: list[str]) -> tuple[int, int]:
    """Keys without a section first, then each section at the place of its first key."""
    above = key.rpartition(".")[0]
    first = next(at for at, each in enumerate(keys) if each.rpartition(".")[0] == above)
    return (first if above else -1), keys.index(key)


def _value(value: Any) -> str:
    shown: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=True, allow_unicode=True, width=1_000_000
    )
    return shown.removesuffix("\n...\n").strip()


def _plain(text: str) -> str:
    return " ".join(text.split())
