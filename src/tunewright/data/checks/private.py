"""Personal data and secrets in texts, counted by kind; what is shown of them is masked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from tunewright.data.checks.index import Index, num_rows
from tunewright.data.checks.readings import Met, readings
from tunewright.data.findings import Finding, show
from tunewright.data.private.personal import personal
from tunewright.data.private.secrets import secrets_in


def private(index: Index) -> Iterator[Finding]:
    """Rows by which somebody can be reached or paid, and rows that open doors."""
    persons, doors = Met(), Met()
    of_persons: Counter[str] = Counter()
    of_doors: Counter[str] = Counter()
    for rows, row, text in readings(index):
        for spans, met, kinds in (
            (personal(text), persons, of_persons),
            (secrets_in(text), doors, of_doors),
        ):
            if spans:
                met.add(rows, row)
                kinds.update({span.kind for span in spans})
    if persons.count:
        yield Finding(
            "personal-data",
            "warning",
            f"{num_rows(persons.count)} with personal data ({_by_kind(of_persons)})",
            "mask it, or be sure that you may use it: a model can repeat what it has read",
            persons.count,
            show(persons.places),
            tuple(persons.ids),
        )
    if doors.count:
        yield Finding(
            "secret",
            "warning",
            f"{num_rows(doors.count)} with secrets ({_by_kind(of_doors)})",
            "make them invalid where they came from, and remove them here",
            doors.count,
            show(doors.places),
            tuple(doors.ids),
        )


def _by_kind(kinds: Counter[str]) -> str:
    return ", ".join(f"{kind}: {count}" for kind, count in kinds.most_common())
