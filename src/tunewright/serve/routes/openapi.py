"""The description of this server, for those who make clients, and those who attack."""

from __future__ import annotations

from typing import Any

from fastapi import Request

from tunewright.serve.described import document
from tunewright.serve.strict_routes import new_router

router = new_router()


@router.get("/openapi.json")
def openapi(request: Request) -> dict[str, Any]:
    """Every route, what it takes and what it answers."""
    return document(request.app)
