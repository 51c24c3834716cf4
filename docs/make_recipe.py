"""Write the table of every recipe key into docs/recipe.md, from the one description.

python docs/make_recipe.py
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tunewright.recipe.schema import Recipe

PAGE = Path(__file__).with_name("recipe.md")
BEGIN, END = "<!-- made by docs/make_recipe.py -->", "<!-- end -->"
LIMITS = {
    "minimum": "≥ {}",
    "exclusiveMinimum": "> {}",
    "maximum": "≤ {}",
    "exclusiveMaximum": "< {}",
}
# What the schema does not say yet; a test keeps this to keys without a description there.
MEANING = {
    "seed": "decides split, order and every random draw",
    "train.layer_decay": "each block learns at this times the rate of the block above",
    "train.schedule": "how the rate falls after the warmup",
    "train.weight_decay": "AdamW's, for matrices only",
    "train.label_smoothing": "share of each target spread over all labels",
    "train.class_weights": "balanced: rare labels weigh as much as common ones",
    "train.evaluations_per_epoch": "looks at the validation part in each pass",
}


def keys() -> Iterator[tuple[str, dict[str, Any]]]:
    """Every key that holds a value: its dotted name, and what the JSON schema says of it."""
    schema = Recipe.model_json_schema()
    yield from _walk(schema, schema["$defs"], "")


def _walk(section: dict[str, Any], known: dict[str, Any], above: str) -> Iterator[Any]:
    for name, field in section["properties"].items():
        place = f"{above}{name}"
        below = field.get("$ref") or field.get("allOf", [{}])[0].get("$ref")
        lists = [choice["items"] for choice in field.get("anyOf", ()) if "items" in choice]
        items = [item["$ref"] for item in lists if "$ref" in item]
        if below:
            yield from _walk(known[below.rsplit("/", 1)[-1]], known, f"{place}.")
            continue
        yield place, field
        for item in items:
            yield from _walk(known[item.rsplit("/", 1)[-1]], known, f"{place}[].")


def values(field: dict[str, Any]) -> str:
    """What may stand there, in words."""
    return " · ".join(_value(choice) for choice in field.get("anyOf", [field]))


def _value(choice: dict[str, Any]) -> str:
    if "const" in choice:
        return f"`{choice['const']}`"
    if "enum" in choice:
        return " · ".join(f"`{value}`" for value in choice["enum"])
    if "items" in choice:
        return _list(choice["items"])
    if "pattern" in choice:
        return "`top-N`" if "top" in choice["pattern"] else "`NAME`"
    if "additionalProperties" in choice:
        return "keys with values"
    words = {"string": "text", "boolean": "true or false", "null": "`null`"}
    limits = [shown.format(f"{choice[key]:,}") for key, shown in LIMITS.items() if key in choice]
    return " ".join([words.get(choice["type"], choice["type"]), ", ".join(limits)]).strip()


def _list(items: dict[str, Any]) -> str:
    if "enum" in items:
        return f"list of {_value(items)}"
    if "additionalProperties" in items:
        return "list of keys with values"
    return "list of phases" if "$ref" in items else "list of texts"


def default(field: dict[str, Any]) -> str:
    """The default as YAML writes it."""
    return json.dumps(field.get("default")).strip('"')


def meaning(place: str, field: dict[str, Any]) -> str:
    """One line on what the key does."""
    return field.get("description") or MEANING[place]


def table() -> str:
    """The table in Markdown."""
    lines = ["| key | values | default | meaning |", "|---|---|---|---|"]
    for place, field in keys():
        what = meaning(place, field).replace("|", "\\|")
        lines.append(f"| `{place}` | {values(field)} | `{default(field)}` | {what} |")
    return "\n".join(lines)


def page(text: str) -> str:
    """The page with its table made anew."""
    inside = re.compile(f"{re.escape(BEGIN)}.*{re.escape(END)}", re.DOTALL)
    made, count = inside.subn(lambda _: f"{BEGIN}\n{table()}\n{END}", text)
    if count != 1:
        raise ValueError(f"{PAGE.name} needs {BEGIN} and {END} once, it has them {count} times")
    return made


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
