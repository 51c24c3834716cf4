"""From a file, flags or a dictionary to a recipe, with the line of every mistake."""

from __future__ import annotations

import copy
import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ValidationError

from tunewright.errors import RecipeError
from tunewright.recipe.dialect import Loader
from tunewright.recipe.schema import Recipe
from tunewright.recipe.service import KEY_FIX

RECIPE_SUFFIXES = {".yaml", ".yml"}
KEY_SETTING = "service.key"
"""What is written here by mistake is never shown."""
Path_ = tuple[str | int, ...]


def load_recipe(path: str | Path, settings: Sequence[str] = ()) -> Recipe:
    """The recipe in a YAML or JSON file, with `a.b=c` settings laid over it.

    Raises:
        RecipeError: unreadable, unknown key, value out of range; with file and line.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RecipeError(f"there is no recipe {path}", fix="check the path") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RecipeError(
            f"{path} cannot be read as a recipe: {error}", fix="a recipe is a UTF-8 YAML file"
        ) from None
    try:
        node = yaml.compose(text, Loader=Loader)
        lines = dict(_key_lines(node, path)) if node else {}
        content = yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f"line {mark.line + 1} of {path}" if mark else str(path)
        problem = getattr(error, "problem", None) or "a character that YAML does not allow"
        raise RecipeError(f"{where} is not YAML: {problem}", fix="mend that line") from None
    if content is None:
        content = {}
    if not isinstance(content, dict):
        raise RecipeError(
            f"{path} holds a {type(content).__name__}, not a recipe",
            fix="write `model: …` and `data: …` as keys",
        )
    return build_recipe(content, settings, where=str(path), lines=lines)


def build_recipe(
    content: Mapping[str, Any],
    settings: Sequence[str] = (),
    *,
    where: str = "the recipe",
    lines: Mapping[Path_, int] | None = None,
) -> Recipe:
    """A checked recipe from plain values; every mistake becomes a RecipeError."""
    merged = _spread_data(copy.deepcopy(dict(content)))
    for setting in settings:
        _lay_over(merged, setting)
        _spread_data(merged)
    try:
        return Recipe.model_validate(merged)
    except ValidationError as error:
        raise _explain(error, where, lines or {}) from None


def _spread_data(content: dict[str, Any]) -> dict[str, Any]:
    """`data: tickets.csv` is short for `data: {train: tickets.csv}`."""
    if isinstance(content.get("data"), str):
        content["data"] = {"train": content["data"]}
    return content


def _lay_over(content: dict[str, Any], setting: str) -> None:
    key, equals, value = setting.partition("=")
    if not equals or not key.strip():
        shown = f"{KEY_SETTING}…" if setting.strip().startswith(KEY_SETTING) else setting
        raise RecipeError(f"the setting '{shown}' has no value", fix="write --set train.epochs=3")
    *parents, last = key.strip().split(".")
    place: Any = content
    for parent in parents:
        below = place.get(parent)
        if not isinstance(below, dict):
            below = place[parent] = {"train": below} if parent == "data" and below else {}
        place = below
    new = _value_of(value)
    if place is content and last == "data" and isinstance(new, str):
        new = {"train": new}
    old = place.get(last)
    place[last] = {**old, **new} if isinstance(old, dict) and isinstance(new, dict) else new


def _value_of(text: str) -> Any:
    """What a flag says. In a file # begins a comment, in a flag nobody writes one.

    >>> _value_of("3"), _value_of("#### 42")
    (3, '#### 42')
    """
    if "#" in text and text.lstrip()[:1] not in ("[", "{", '"', "'"):
        return text
    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError:
        return text


def _key_lines(node: yaml.Node, file: Path, above: Path_ = ()) -> Iterator[tuple[Path_, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key, value in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise RecipeError(
                    f"line {key.start_mark.line + 1} of {file} has a key that is not a word",
                    fix="write keys as words, such as `model: …`",
                )
            if key.value in seen:
                raise RecipeError(
                    f"line {key.start_mark.line + 1} of {file} gives '{key.value}' a second time",
                    fix="keep one of the two",
                )
            seen.add(key.value)
            place = (*above, key.value)
            yield place, key.start_mark.line + 1
            yield from _key_lines(value, file, place)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            yield (*above, index), value.start_mark.line + 1
            yield from _key_lines(value, file, (*above, index))


def _explain(error: ValidationError, where: str, lines: Mapping[Path_, int]) -> RecipeError:
    """The first mistake, with its place and, for an unknown key, what was probably meant."""
    details = error.errors()
    unknown = [d for d in details if d["type"] == "extra_forbidden"]
    detail = (unknown or details)[0]
    place = detail["loc"]
    at = next((lines[place[:n]] for n in range(len(place), 0, -1) if place[:n] in lines), None)
    position = f"line {at} of {where}" if at else where
    key = ".".join(str(part) for part in place if part not in ("auto",)) or "recipe"
    if detail["type"] == "extra_forbidden":
        known = _keys_beside(place)
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        beside = [".".join(str(part) for part in (*place[:-1], name)) for name in near]
        meant = " or ".join(f"'{key}'" for key in beside or keys_named(str(place[-1])))
        fix = f"did you mean {meant}?" if meant else f"known here: {', '.join(known)}"
        return RecipeError(f"{position}: there is no key '{key}'", fix=fix)
    same_key = [d for d in details if d["loc"][: _depth(place)] == place[: _depth(place)]]
    expected = " or ".join(dict.fromkeys(_plain(d["msg"]) for d in same_key))
    key = ".".join(str(part) for part in place[: _depth(place)])
    if not key:
        what, _, mend = expected.partition(": ")
        return RecipeError(f"{position}: {what}", fix=mend or "change one of the two")
    if key == KEY_SETTING:  # many write the key itself here
        what = f"{position}: {key}: should be the name of an environment variable (found …)"
        return RecipeError(what, fix=KEY_FIX)
    got = "…" if key == "service" and isinstance(detail["input"], str) else detail["input"]
    shown = "" if isinstance(got, (dict, BaseModel)) else f" (found {_short(got)})"
    near = difflib.get_close_matches(str(got), re.findall(r"'([^']+)'", expected), n=1)
    fix = f"did you mean {near[0]}?" if near else f"change {key}; what it takes: tunewright schema"
    return RecipeError(f"{position}: {key}: {expected}{shown}", fix=fix)


def _plain(message: str) -> str:
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return message[:1].lower() + message[1:]


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _depth(place: Path_) -> int:
    """How much of pydantic's location is keys of ours, rather than names of union members."""
    section: Any = Recipe
    for depth, part in enumerate(place):
        if isinstance(part, int):
            continue
        if section is None or part not in section.model_fields:
            return depth
        section = _section_of(section.model_fields[part].annotation)
    return len(place)


def _section_of(annotation: Any) -> type[BaseModel] | None:
    for candidate in (annotation, *getattr(annotation, "__args__", ())):
        if isinstance(candidate, type) and issubclass(candidate, BaseModel):
            return candidate
        inner = getattr(candidate, "__args__", ())
        if inner and isinstance(inner[0], type) and issubclass(inner[0], BaseModel):
            return inner[0]
    return None


def keys_named(name: str) -> list[str]:
    """The whole keys, from the top, of every value that is called so.

    >>> keys_named("label"), keys_named("epochs")
    (['data.columns.label'], ['train.epochs'])
    """

    def below(section: type[BaseModel], above: str) -> Iterator[str]:
        for key, field in section.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from below(kind, f"{above}{key}.")
            elif key == name:
                yield f"{above}{key}"

    return list(below(Recipe, ""))


def _keys_beside(place: Path_) -> list[str]:
    section: Any = Recipe
    for part in place[:-1]:
        if isinstance(part, str) and section is not None and part in section.model_fields:
            section = _section_of(section.model_fields[part].annotation)
    return sorted(section.model_fields) if section is not None else []
