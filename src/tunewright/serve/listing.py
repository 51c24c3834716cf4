"""Lists: the envelope, and paging by the id of the last thing seen."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from fastapi import Request
from sqlalchemy import JSON, ColumnElement, Select, Table, select

from tunewright.serve.answers import ApiError
from tunewright.serve.store import Row, Store

KEY_PATTERN = r'[^"\\\[\]\x00-\x1f]{1,64}'
"""Of metadata that can be asked for: what a path in JSON can name."""
MOST_PAIRS, LONGEST_VALUE = 16, 512
_PAIR = re.compile(rf"metadata\[({KEY_PATTERN})\]")


def envelope(rows: Sequence[dict[str, Any]], *, has_more: bool = False) -> dict[str, Any]:
    """A list as the client pages through it.

    Args:
        rows: objects with an `id`.
        has_more: whether more would come behind the last.
    """
    return {
        "object": "list",
        "data": list(rows),
        "has_more": has_more,
        "first_id": rows[0]["id"] if rows else None,
        "last_id": rows[-1]["id"] if rows else None,
    }


def page(
    store: Store,
    table: Table,
    *where: Any,
    after: str | None,
    limit: int,
    newest_first: bool = True,
) -> tuple[list[Row], bool]:
    """The rows behind `after`, and whether there are more behind these.

    Raises:
        ApiError: `after` is no id of this list.
    """
    order = table.c.number
    query: Select[Any] = select(table).where(*where)
    with store.reading() as connection:
        if after is not None:
            place = connection.execute(select(order).where(table.c.id == after)).scalar()
            if place is None:
                raise ApiError(400, f"'{after}' is not in this list", "after", "invalid_cursor")
            query = query.where(order < place if newest_first else order > place)
        query = query.order_by(order.desc() if newest_first else order).limit(limit + 1)
        rows = [dict(row) for row in connection.execute(query).mappings()]
    return rows[:limit], len(rows) > limit


def has_metadata(request: Request, column: ColumnElement[JSON]) -> list[Any]:
    """A condition for each `metadata[key]=value` of a query.

    Raises:
        ApiError: a key that no path in JSON can name.
    """
    where = []
    for name, value in request.query_params.items():
        if not name.startswith("metadata["):
            continue
        pair = _PAIR.fullmatch(name)
        if pair is None or len(value) > LONGEST_VALUE or len(where) == MOST_PAIRS:
            told = (
                f"metadata is asked for as metadata[key]=value, {MOST_PAIRS} times at most, with keys "
                f"of 1 to 64 letters without quotes and backslashes, and values of at most {LONGEST_VALUE}"
            )
            raise ApiError(400, told, "metadata", "invalid_value")
        where.append(column[pair[1]].as_string() == value)
    return where
