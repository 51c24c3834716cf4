"""Answers for files, pipes and single texts, in the order of the input."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from tunewright.backends import open_predictor
from tunewright.backends.served import is_served, read_served
from tunewright.data.columns import find_columns
from tunewright.data.picture_columns import picture_paths
from tunewright.data.picture_folders import picture_table
from tunewright.data.pictures import look_at
from tunewright.data.read import read_table
from tunewright.deciding import read_limits
from tunewright.errors import DataError, RecipeError, RunError
from tunewright.evaluation.decided import chosen, decided
from tunewright.evaluation.several_labels import THRESHOLD
from tunewright.history.folder import find_run
from tunewright.pretrained.folder import PROCESSOR_FILE
from tunewright.recipe.load import load_recipe
from tunewright.recipe.schema import READS, Reads

CHUNK_ROWS = 4096
CHUNK_PICTURES = 64


@dataclass(frozen=True)
class Model:
    """A model folder, what it reads, and the columns that it was trained on where they are known."""

    folder: Path
    reads: Reads
    columns: dict[str, Any]


def answer(
    model: Path, texts: Sequence[str], pairs: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """What the model says of each text, or of the picture at each path.

    Args:
        model: a folder that `from_pretrained` loads.
    Returns:
        {"label", "confidence"}; {"labels", "confidences"} of a model that answers with any number
        of labels, the surest first; {"value"} of one that answers with a number.
    """
    predictor, limits = _predictor(model.resolve())
    return answers_by(predictor, limits, texts, pairs)


def answers_by(
    predictor: Any,
    limits: np.ndarray | None,
    texts: Sequence[str],
    pairs: Sequence[str] | None = None,
) -> list[dict[str, Any]]:
    """As `answer`, by a model that is open: see `backends.open_predictor`.

    Args:
        limits: see `read_limits`.
    """
    say: Callable[[np.ndarray, Sequence[str], np.ndarray | None], dict[str, Any]] = {
        "one": _one_label,
        "several": _several_labels,
        "number": _number,
    }[predictor.answer.kind]
    return [say(row, predictor.labels, limits) for row in predictor.answers(texts, pairs)]


def _one_label(row: np.ndarray, names: Sequence[str], limits: np.ndarray | None) -> dict[str, Any]:
    (k,) = chosen(decided(row[None], limits)).tolist()
    return {"label": names[k], "confidence": round(float(row[k]), 6)}


def _several_labels(
    row: np.ndarray, names: Sequence[str], limits: np.ndarray | None
) -> dict[str, Any]:
    answered = row >= (THRESHOLD if limits is None else limits)
    surest = [k for k in np.argsort(-row, kind="stable").tolist() if answered[k]]
    return {
        "labels": [names[k] for k in surest],
        "confidences": [round(float(row[k]), 6) for k in surest],
    }


def _number(row: np.ndarray, names: Sequence[str], limits: np.ndarray | None) -> dict[str, Any]:
    return {"value": round(float(row[0]), 6)}


def predict(
    run: str | Path,
    data: str | Path | None = None,
    *,
    text: str | None = None,
    lines: Iterable[str] | None = None,
    most_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> Iterator[dict[str, Any]]:
    """Stream answers: for a file, one text, or an iterable of texts (a pipe).

    Args:
        run: a run, or a model folder.
        data: a file in any format that `run` reads; labels are not needed. Of a model that reads
            pictures also a picture, or a folder of pictures.
        lines: texts, or paths of pictures.
        most_tokens, temperature, seed: of a model that writes, see `writing.write`.
    Yields:
        {"text" or "image", "label", "confidence"}; of a model that writes {"prompt", "answer",
        "ended"}; or as `answer` has it, in the input's order;
        texts are sorted by length inside chunks of 4,096 while they are computed.
    Raises:
        DataError: the data cannot be read; a picture is missing or damaged, and named.
    """
    model = find_model(run)
    if model.reads in ("chat", "preference"):
        from tunewright.writing import prompts_of, write

        prompts = prompts_of(data, text=text, lines=lines)
        yield from write(
            model.folder, prompts, most_tokens=most_tokens, temperature=temperature, seed=seed
        )
        return
    if model.reads == "image":
        yield from _of_pictures(model, _paths(model, data, text=text, lines=lines))
        return
    folder, wanted = model.folder, model.columns
    if text is not None:
        if data is not None or lines is not None:
            raise RecipeError("a text and a file are both given", fix="give one of them")
        lines = [text]
    if lines is not None:
        if wanted.get("text_pair"):
            raise DataError(
                "the model reads pairs of texts, and a single text is given",
                fix=f"give a file with the columns {wanted['text']} and {wanted['text_pair']}",
            )
        yield from _answers(folder, ((line, None) for line in lines))
        return
    if data is None:
        raise RunError("nothing to predict", fix="give a file, - for a pipe, or --text")
    table = read_table(data)
    known = str(wanted.get("text", ""))
    columns = find_columns(
        table,
        text=known if known in table.columns else "auto",
        text_pair=wanted.get("text_pair", "auto"),
        image=None,
        need_label=False,
    )
    texts = table.arrow[columns.text]
    pairs = table.arrow[columns.text_pair] if columns.text_pair else None
    rows = (
        (_text(one.as_py()), None if two is None else _text(two.as_py()))
        for one, two in zip(texts, pairs if pairs is not None else _nothing(), strict=False)
    )
    yield from _answers(folder, rows)


def _paths(
    model: Model,
    data: str | Path | None,
    *,
    text: str | None,
    lines: Iterable[str] | None,
) -> Iterator[str]:
    """Where the pictures are: whole paths, but those of a pipe as they are written there.

    Raises:
        RecipeError: a text is given. DataError: nothing that pictures can be found by.
    """
    if text is not None:
        raise RecipeError(
            "the model reads pictures, and a text is given",
            fix="give a picture, a folder of pictures, or a file with their paths",
        )
    if lines is not None:
        yield from (line.strip() for line in lines)
        return
    if data is None:
        raise RunError(
            "nothing to predict",
            fix="give a picture, a folder of pictures, a file, or - for a pipe",
        )
    path = Path(data).expanduser()
    table = picture_table(path) if path.is_file() else None
    if table is None:
        table = read_table(path)
    known = str(model.columns.get("image", ""))
    columns = find_columns(
        table,
        image=known if known in table.columns else "auto",
        task="image-classification",
        need_label=False,
    )
    yield from (str(found.as_py()) for found in picture_paths(table, columns.text))


def _of_pictures(model: Model, paths: Iterable[str]) -> Iterator[dict[str, Any]]:
    stream = iter(paths)
    while chunk := list(islice(stream, CHUNK_PICTURES)):
        _refuse_unreadable(chunk)
        for path, found in zip(chunk, answer(model.folder, chunk), strict=True):
            yield {"image": path, **found}


def _refuse_unreadable(paths: Sequence[str]) -> None:
    """Raise DataError for the first picture that is missing or damaged, naming it."""
    for path in paths:
        if not Path(path).is_file():
            raise DataError(f"there is no picture {path}", fix="check the path")
    for path, look in zip(paths, look_at(paths), strict=True):
        if look.flaw is not None:
            raise DataError(
                f"the picture {path} cannot be read: {look.flaw}",
                fix="save it again as JPEG or PNG, or take it out",
            )


def find_model(run: str | Path) -> Model:
    """A run's model folder and its columns; or any model folder, and nothing known."""
    path = Path(run).expanduser()
    if _is_model(path):
        return Model(path, _reads_of(path), {})
    folder = find_run(run)
    if not _is_model(folder / "model"):
        raise RunError(
            f"run {folder.name} has no model yet", fix=f"tunewright run --resume {folder.name}"
        )
    recipe = load_recipe(folder / "recipe.yaml")
    return Model(folder / "model", READS[recipe.task], recipe.data.columns.model_dump())


def _is_model(folder: Path) -> bool:
    return (folder / "config.json").is_file() or is_served(folder)


def _reads_of(folder: Path) -> Reads:
    """What a model folder's rows are, by its files."""
    if is_served(folder):
        return READS[read_served(folder).task]
    if (folder / PROCESSOR_FILE).is_file():
        return "image"
    kinds = json.loads((folder / "config.json").read_text("utf-8")).get("architectures") or [""]
    return "chat" if str(kinds[0]).endswith(("ForCausalLM", "LMHeadModel")) else "text"


def _answers(folder: Path, rows: Iterable[tuple[str, str | None]]) -> Iterator[dict[str, Any]]:
    stream = iter(rows)
    while chunk := list(islice(stream, CHUNK_ROWS)):
        texts = [one for one, _ in chunk]
        pairs = None if chunk[0][1] is None else [two or "" for _, two in chunk]
        for one, found in zip(texts, answer(folder, texts, pairs), strict=True):
            yield {"text": one, **found}


def _text(value: Any) -> str:
    """A missing value is an empty text."""
    return "" if value is None else str(value)


def _nothing() -> Iterator[None]:
    while True:
        yield None


@lru_cache(maxsize=2)
def _predictor(folder: Path) -> tuple[Any, np.ndarray | None]:
    """What answers, and from which shares on."""
    return open_predictor(folder), read_limits(folder)
