"""Lists: the envelope, and paging by the id of the last thing seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import Request
from sqlalchemy import Select, Table, exists, func, select

from tunewright.serve.answers import ApiError
from tunewright.serve.store import Row, Store

LONGEST_KEY, LONGEST_VALUE, MOST_PAIRS = 64, 512, 16


def envelope(
    rows: Sequence[dict[str, Any]], *, has_more: bool = False, none: str | None = ""
) -> dict[str, Any]:
    """A list as the client pages through it.

    Args:
        rows: objects with an `id`.
        has_more: whether more would come behind the last.
        none: the first and last id of an empty list; most schemas of the API know no null there.
    """
    return {
        "object": "list",
        "data": list(rows),
        "has_more": has_more,
        "first_id": rows[0]["id"] if rows else none,
        "last_id": rows[-1]["id"] if rows else none,
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
        found = connection.execute(query)
        names = tuple(found.keys())
        rows = [dict(zip(names, row, strict=True)) for row in found]
    return rows[:limit], len(rows) > limit


def has_pair(store: Store, metadata: Any, key: str, value: str) -> Any:
    """The condition that metadata has this pair, whatever letters are in it.

    Args:
        metadata: a column, or a part of one, that holds an object or nothing.
    """
    is_sqlite = store.engine.dialect.name == "sqlite"
    each = func.json_each if is_sqlite else func.json_each_text
    pairs = each(metadata).table_valued("key", "value")
    return exists().where(pairs.c.key == key, pairs.c.value == value)


def has_metadata(request: Request, store: Store, metadata: Any) -> list[Any]:
    """A condition for each `metadata[key]=value` of a query.

    Raises:
        ApiError: there are more, or longer ones, than metadata can have.
    """
    where: list[Any] = []
    for name, value in request.query_params.items():
        if not name.startswith("metadata["):
            continue
        key = name.removeprefix("metadata[").removesuffix("]")
        fits = len(key) <= LONGEST_KEY and len(value) <= LONGEST_VALUE
        if not fits or not name.endswith("]") or len(where) == MOST_PAIRS:
            told = (
                f"metadata is asked for as metadata[key]=value, {MOST_PAIRS} times at most, with keys "
                f"of at most {LONGEST_KEY} letters and values of at most {LONGEST_VALUE}"
            )
            raise ApiError(400, told, "metadata", "invalid_value")
        where.append(has_pair(store, metadata, key, value))
    return where
