"""Lines of a file that are no rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tunewright.data.findings import SHOWN_ROWS, Finding
from tunewright.data.table import Table


def unreadable_lines(tables: Mapping[str, Table]) -> Iterator[Finding]:
    """Of each file the lines that were passed over, with what is wrong with them."""
    for table in tables.values():
        if not table.unreadable:
            continue
        count, source = len(table.unreadable), table.source
        yield Finding(
            "unreadable-line",
            "error",
            f"{count} line{'' if count == 1 else 's'} of {source} cannot be read as rows",
            "mend them; or take them out: tunewright check DATA --fix OUT; or have run pass over "
            "them by --set data.allow=unreadable-line",
            count,
            tuple(
                {"place": f"line {line} of {source}", "file": source, "line": line, "text": flaw}
                for line, flaw in table.unreadable[:SHOWN_ROWS]
            ),
        )
