"""Lists of a service, page by page, whatever it leaves out of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

PAGE = 100


def pages(ask: Callable[[dict[str, Any]], Any]) -> Iterator[list[Any]]:
    """Pages of new objects; the client's own loop does not end where `has_more` is missing.

    Args:
        ask: gets `limit` and `after`, and gives a page that has `data`.
    """
    known: set[str] = set()
    after: dict[str, Any] = {}
    while True:
        page = ask({"limit": PAGE, **after})
        new = [each for each in page.data or () if each.id not in known]
        if not new:  # the end, or a service that does not know `after`
            return
        known |= {each.id for each in new}
        yield new
        if getattr(page, "has_more", None) is False:
            return
        after = {"after": new[-1].id}
