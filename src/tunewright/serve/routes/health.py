"""Whether the server is there."""

from __future__ import annotations

from fastapi import APIRouter, Request

from tunewright.serve.tables import jobs

router = APIRouter()


@router.get("/health")
def health(request: Request) -> dict[str, str]:
    """Answers once the database answers."""
    request.app.state.store.get(jobs, "")
    return {"status": "ok"}
