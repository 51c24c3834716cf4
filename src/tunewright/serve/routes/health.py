"""Whether the server is there."""

from __future__ import annotations

from fastapi import Request

from tunewright.serve.strict_routes import new_router
from tunewright.serve.tables import jobs

router = new_router()


@router.get("/health")
def health(request: Request) -> dict[str, str]:
    """Answers once the database answers."""
    request.app.state.store.get(jobs, "")
    return {"status": "ok"}
