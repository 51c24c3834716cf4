"""Near copies planted in clean sets: how many are found, and how much else is taken for one.

Needs the data sets in ../shared/data; says so and stops when they are not there. A set is clean when
of two rows with six tenths of their pieces in common only one is left, by a comparison
of every pair. Each of 1,000 rows then gets a copy with one small edit; five kinds take turns.
"""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import scipy.sparse as sparse

from bench.beside import RESULTS, machine
from bench.quality import DATA
from tunewright.data.near import near_texts
from tunewright.data.rows import Rows
from tunewright.data.shingles import shingles, words

SETS = {"banking77": 2, "sms_spam": 1, "tweeteval_emotion": 3}
PLANTED, CLEAN_BELOW = 1_000, 0.6
LETTERS = "abcdefghijklmnopqrstuvwxyz"
Edit = Callable[[list[str], random.Random, list[str]], list[str]]


def typo(text: list[str], draw: random.Random, _: list[str]) -> list[str]:
    """One letter of a word is another, missing, doubled with another, or after the next."""
    fit = [i for i, word in enumerate(text) if len(word) > 3 and word.isalpha()]
    if not fit:
        return text
    at = draw.choice(fit)
    word, place = text[at], draw.randrange(len(text[at]) - 1)
    letter = draw.choice(LETTERS.replace(word[place].lower(), ""))
    before, here, after = word[:place], word[place], word[place + 1 :]
    kinds = (before + letter + after, before + after, before + letter + here + after)
    swapped = before + after[0] + here + after[1:]
    return [*text[:at], draw.choice([*kinds, swapped]), *text[at + 1 :]]


def dropped(text: list[str], draw: random.Random, _: list[str]) -> list[str]:
    """A word without a digit is missing."""
    fit = [i for i, word in enumerate(text) if not any(map(str.isdigit, word))]
    at = draw.choice(fit) if fit and len(text) > 2 else len(text)
    return text[:at] + text[at + 1 :]


def added(text: list[str], draw: random.Random, vocabulary: list[str]) -> list[str]:
    """A word of another row is there too."""
    at = draw.randrange(len(text) + 1)
    return [*text[:at], draw.choice(vocabulary), *text[at:]]


def swapped(text: list[str], draw: random.Random, _: list[str]) -> list[str]:
    """Two words that follow each other have changed places."""
    if len(text) < 2:
        return text
    at = draw.randrange(len(text) - 1)
    return [*text[:at], text[at + 1], text[at], *text[at + 2 :]]


def respelled(text: list[str], draw: random.Random, _: list[str]) -> list[str]:
    """Another case, other marks at the end, fewer commas."""
    joined = " ".join(text)
    joined = draw.choice([joined.upper(), joined.lower(), joined.title()])
    return (joined.rstrip(".!?").replace(", ", " ") + draw.choice(["!!", "...", "?!"])).split(" ")


EDITS: dict[str, Edit] = {
    "typo": typo,
    "word dropped": dropped,
    "word added": added,
    "words swapped": swapped,
    "punctuation and case": respelled,
}


def main() -> None:
    """Measure, print the table, keep it in results/planted_copies.json."""
    if not DATA.exists():
        raise SystemExit(f"the data sets are missing: {DATA}")
    found = {name: measure(texts_of(name)) for name in SETS}
    kept = {"machine": machine(), "sets": found}
    (RESULTS / "planted_copies.json").write_text(json.dumps(kept, indent=1) + "\n")
    for name, facts in found.items():
        print(name, facts)


def texts_of(name: str) -> list[str]:
    """The different texts of all parts of a set."""
    texts = []
    for path in sorted((DATA / name).glob("*.csv")):
        with path.open(encoding="utf-8", newline="") as file:
            texts += [row["text"] for row in csv.DictReader(file)]
    return list(dict.fromkeys(texts))


def measure(texts: list[str]) -> dict[str, object]:
    """Recall of each kind of edit, and the precision of all that is found."""
    clean = without_alike(texts)
    draw = random.Random(0)
    vocabulary = [word for text in clean for word in text.split() if word.isalpha()]
    chosen = draw.sample(range(len(clean)), min(PLANTED, len(clean)))
    kinds = [list(EDITS)[at % len(EDITS)] for at in range(len(chosen))]
    copies = [
        " ".join(EDITS[kind](clean[row].split(), draw, vocabulary))
        for row, kind in zip(chosen, kinds, strict=True)
    ]
    rows = as_rows([*clean, *copies])
    near = near_texts([rows], [rows.text_keys()])
    texts_by_row = near.texts(rows.text_keys())
    pairs = {tuple(pair) for pair in near.pairs.tolist()}
    planted: dict[tuple[int, int], str] = {}
    for at, (row, kind) in enumerate(zip(chosen, kinds, strict=True)):
        one, two = sorted((int(texts_by_row[row]), int(texts_by_row[len(clean) + at])))
        if one != two:  # an edit that changes only what counts for nothing is an exact copy
            planted[one, two] = kind
    recall = {
        kind: share(pair in pairs for pair, k in planted.items() if k == kind) for kind in EDITS
    }
    return {
        "rows": len(texts),
        "clean": len(clean),
        "planted": len(planted),
        "recall": share(pair in pairs for pair in planted),
        "precision": share(pair in planted for pair in pairs),
        "recall_of": recall,
        "natural_pairs": len(natural(texts)),
    }


def share(hits: Iterable[bool]) -> float:
    """How many of the hits are true, as a part of all."""
    return round(float(np.mean(list(hits))), 4)


def natural(texts: list[str]) -> np.ndarray:
    """The near pairs of the set as it is."""
    rows = as_rows(texts)
    return near_texts([rows], [rows.text_keys()]).pairs


def as_rows(texts: list[str]) -> Rows:
    """Rows without labels."""
    ids = [f"{index:032x}" for index in range(len(texts))]
    return Rows(texts, None, None, ids, "texts", np.arange(1, len(texts) + 1))


def without_alike(texts: list[str]) -> list[str]:
    """The texts, less each that is too much like one before it."""
    out: set[int] = set()
    for one, two in alike(texts):
        if one not in out:
            out.add(two)
    return [text for index, text in enumerate(texts) if index not in out]


def alike(texts: list[str]) -> Iterator[tuple[int, int]]:
    """Pairs with a Jaccard similarity of CLEAN_BELOW or more, of all pairs there are, in order."""
    number: dict[str, int] = {}
    columns: list[int] = []
    ends = [0]
    for text in texts:
        columns += [number.setdefault(each, len(number)) for each in shingles(words(text))]
        ends.append(len(columns))
    shape = (len(texts), len(number))
    matrix = sparse.csr_matrix((np.ones(len(columns), np.float32), columns, ends), shape=shape)
    size = np.diff(ends)
    for start in range(0, len(texts), 500):
        shared = (matrix[start : start + 500] @ matrix.T).tocoo()
        one, two = shared.row + start, shared.col
        near = shared.data >= CLEAN_BELOW * (size[one] + size[two] - shared.data)
        yield from sorted(
            zip(one[near & (one < two)].tolist(), two[near & (one < two)].tolist(), strict=True)
        )


if __name__ == "__main__":
    main()
