"""Faults planted in clean copies of real sets: which of them the check finds, and what else it names.

Rows in which the set itself has a fault are taken out first, so that every row named should be a planted
one. `python -m bench.planted FOLDER` takes the folder with banking77, sms_spam and tweeteval_emotion. A
further kind of fault is one more entry of PLANTS (in a row) or one more function in `measure`.
"""

from __future__ import annotations

import csv
import json
import random
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, Row, machine, read_rows
from tunewright.checking import check
from tunewright.data.checks.html import TAG, has_entity
from tunewright.data.checks.mojibake import is_garbled
from tunewright.data.duplicates import normalise
from tunewright.data.private.personal import personal
from tunewright.data.private.secrets import secrets_in

SETS = {
    "banking77": "banking77/train.csv",
    "sms_spam": "sms_spam/sms.csv",
    "tweeteval_emotion": "tweeteval_emotion/train.csv",
}
EACH = 20  # rows of each kind: a finding shows as many
BASE62 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
PERSONS = (
    "write to {word}.{word2}@posteo.net",
    "my account is DE89 3704 0044 0532 0130 00",
    "card 4111-1111-1111-1111 please",
    "from 93.184.216.{number}",
    "call +44 20 7946 0{number}",
    "or call (212) 736-5{number}",
)
GERMAN = (
    "Der Zug nach Hamburg hat heute leider wieder eine Verspätung von {number} Minuten",
    "Ich möchte gerne wissen, warum meine Bestellung noch nicht angekommen ist, Nummer {number}",
)
Plant = Callable[[str, random.Random], str]


def _person(text: str, draw: random.Random) -> str:
    form = draw.choice(PERSONS)
    words = {"word": draw.choice(("anna", "li", "omar")), "word2": draw.choice(("meier", "xu"))}
    return f"{text} {form.format(number=draw.randint(100, 199), **words)}"


def _secret(text: str, draw: random.Random) -> str:
    beginning = draw.choice(("sk-", "ghp_", "AIza", ""))
    length = {"ghp_": 36, "AIza": 35}.get(beginning, 32)
    return f"{text} {beginning}{''.join(draw.choices(BASE62, k=length))}"


PLANTS: Mapping[str, Plant] = {
    "mojibake": lambda text, draw: text + " café für déjà".encode().decode("cp1252"),
    "html": lambda text, draw: text + draw.choice((" <br/>", " &amp; so", "<p>now</p>")),
    "personal-data": _person,
    "secret": _secret,
    "long-text": lambda text, draw: " ".join([text] * 400),
    "language-mix": lambda text, draw: draw.choice(GERMAN).format(number=draw.randint(100, 999)),
    "empty-text": lambda text, draw: " ",
}
FORMATS: Mapping[str, dict[str, Any]] = {
    "format-role": {"role": "robot", "content": "yes"},
    "format-content": {"role": "assistant", "content": ""},
    "format-key": {"role": "assistant", "content": "yes", "colour": "red"},
    "format-weight": {"role": "assistant", "content": "yes", "weight": 3},
    "format-no-assistant": {"role": "user", "content": "and?"},
}


def main() -> None:
    """Measure, print the table, keep it in results/planted.json."""
    folder = Path(sys.argv[1])
    found = {name: measure(clean(read_rows(folder / file))) for name, file in SETS.items()}
    found["conversations"] = formats()
    facts = {"machine": machine(), "rows_of_each": EACH, "sets": found}
    (RESULTS / "planted.json").write_text(json.dumps(facts, indent=1) + "\n")
    for name, codes in found.items():
        for code, each in codes.items():
            print(f"| {name} | {code} | {' | '.join(map(str, each.values()))} |")


def clean(rows: Sequence[Row]) -> list[Row]:
    """The rows less those with a fault of their own, and less texts that are there twice."""
    kept: dict[str, Row] = {}
    for text, label in rows:
        faults = personal(text) or secrets_in(text) or is_garbled(text) or has_entity(text)
        if not faults and not TAG.search(text) and len(text.strip()) > 2:
            kept.setdefault(normalise(text), (text, label))
    return list(kept.values())


def measure(rows: list[Row]) -> dict[str, Any]:
    """Recall and precision of every kind, each planted alone."""
    draw = random.Random(0)
    some = draw.sample(rows, min(len(rows), 2_000))  # no more than the check of languages reads
    found = {code: _in_rows(code, plant, some, draw) for code, plant in PLANTS.items()}
    labels = sorted({label for _, label in some})
    picked = draw.sample(some, EACH)
    again = [(text.upper(), label) for text, label in picked]
    against = [(text, next(each for each in labels if each != label)) for text, label in picked]
    last = set(range(len(some) + 2, len(some) + EACH + 2))
    found["duplicate"] = _scored("duplicate", {"train": some + again}, last)
    first = {some.index(row) + 2 for row in picked}
    found["contradictory-label"] = _scored(
        "contradictory-label", {"train": some + against}, first | last
    )
    border = len(some) // 2
    test = some[border:] + [row for row in some[:border] if row in picked]
    leaked = {some.index(row) + 2 for row in picked if row in some[:border]}
    found["leak"] = _scored("leak", {"train": some[:border], "test": test}, leaked)
    found["shortcut"] = _shortcut(some)
    found["drift"] = _drift(some, border)
    return found


def _in_rows(code: str, plant: Plant, rows: list[Row], draw: random.Random) -> dict[str, Any]:
    spoiled = list(rows)
    picked = draw.sample(range(len(rows)), EACH)
    for place in picked:
        text, label = rows[place]
        spoiled[place] = (plant(text, draw), label)
    return _scored(code, {"train": spoiled}, {place + 2 for place in picked})


def _shortcut(rows: list[Row]) -> dict[str, Any]:
    """A mark in all rows of one label, which must be the word that is named."""
    label = max(
        {label for _, label in rows}, key=lambda name: sum(name == each for _, each in rows)
    )
    marked = [(f"{text} zq7x" if each == label else text, each) for text, each in rows]
    findings, seconds = _checked({"train": marked})
    said = [f for f in findings if f["code"] == "shortcut" and f["severity"] == "warning"]
    right = sum("'zq7x'" in finding["message"] for finding in said)
    return _result(right, 1, len(said), seconds)


def _drift(rows: list[Row], border: int) -> dict[str, Any]:
    """Two halves by chance are alike; a half with another word in every second row is not."""
    one, two = rows[:border], rows[border:]
    calm, seconds = _checked({"train": one, "test": two})
    other = [(f"{text} zq7x" if i % 2 else text, each) for i, (text, each) in enumerate(two)]
    moved, _ = _checked({"train": one, "test": other})
    false = sum(finding["code"] == "drift" for finding in calm)
    right = any(finding["code"] == "drift" and "'zq7x'" in finding["message"] for finding in moved)
    return _result(int(right), 1, int(right) + false, seconds)


def formats() -> dict[str, Any]:
    """A fault of form in the last message of some conversations, kind by kind."""
    found = {}
    for code, message in FORMATS.items():
        good = {"role": "assistant", "content": "yes"}
        picked = set(range(10, 10 + EACH))
        rows = [
            {
                "messages": [
                    {"role": "user", "content": f"is it {i}?"},
                    message if i in picked else good,
                ]
            }
            for i in range(200)
        ]
        with tempfile.TemporaryDirectory() as scratch:
            file = Path(scratch) / "chats.jsonl"
            file.write_text("".join(f"{json.dumps(row)}\n" for row in rows))
            began = time.perf_counter()
            findings = check(file)["findings"]
            seconds = time.perf_counter() - began
        found[code] = _against(code, findings, {row + 1 for row in picked}, seconds)
    return found


def _scored(code: str, parts: Mapping[str, list[Row]], planted: set[int]) -> dict[str, Any]:
    findings, seconds = _checked(parts)
    return _against(code, findings, planted, seconds)


def _against(
    code: str, findings: list[dict[str, Any]], planted: set[int], seconds: float
) -> dict[str, Any]:
    """By the count where more rows are named than a finding shows."""
    of_code = [finding for finding in findings if finding["code"] == code]
    lines = {row["line"] for finding in of_code for row in finding["rows"]}
    right, named = len(lines & planted), max([len(lines)] + [f["count"] for f in of_code])
    if named > len(lines):  # the rows shown are the first ones: all must be planted
        right = named if lines <= planted and named == len(planted) else right
    return _result(right, len(planted), named, seconds)


def _result(right: int, planted: int, named: int, seconds: float) -> dict[str, Any]:
    return {
        "planted": planted,
        "named": named,
        "recall": round(right / planted, 3),
        "precision": round(right / named, 3) if named else None,
        "check_s": round(seconds, 1),
    }


def _checked(parts: Mapping[str, list[Row]]) -> tuple[list[dict[str, Any]], float]:
    with tempfile.TemporaryDirectory() as scratch:
        for part, rows in parts.items():
            with (Path(scratch) / f"{part}.csv").open("w", encoding="utf-8", newline="") as file:
                flat = [(" ".join(text.split()) or " ", label) for text, label in rows]
                csv.writer(file).writerows([("text", "label"), *flat])
        source = scratch if len(parts) > 1 else Path(scratch) / "train.csv"
        began = time.perf_counter()
        found = check(source)["findings"]
        return found, time.perf_counter() - began


if __name__ == "__main__":
    main()
