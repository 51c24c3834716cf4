"""`/v1/fine_tuning/checkpoints/{checkpoint}/permissions`: which projects may use a checkpoint.

They are kept and given back as the API says. One server is one project: they open nothing here.
"""

from __future__ import annotations

import time
from typing import Annotated, Any, Literal

from fastapi import Query, Request
from pydantic import Field
from sqlalchemy import insert, select

from tunewright.serve.answers import not_found
from tunewright.serve.bodies import Body
from tunewright.serve.dependencies import StoreOfApp
from tunewright.serve.identifiers import new_id
from tunewright.serve.known_models import no_such_model
from tunewright.serve.listing import envelope, page
from tunewright.serve.store import Row, Store
from tunewright.serve.strict_routes import new_router
from tunewright.serve.tables import models, permissions

router = new_router("/v1/fine_tuning/checkpoints")


class CreatePermissions(Body):
    """Projects that get a permission each."""

    project_ids: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=200)]],
        Field(min_length=1, max_length=100),
    ]


@router.post("/{checkpoint:path}/permissions")
def create_permissions(
    checkpoint: str, body: CreatePermissions, store: StoreOfApp
) -> dict[str, Any]:
    """Give each project one; who has it keeps it."""
    _refuse_unknown(store, checkpoint)
    mine = permissions.c.checkpoint == checkpoint
    found = []
    with store.writing() as connection:
        for project in dict.fromkeys(body.project_ids):
            query = select(permissions).where(mine, permissions.c.project == project)
            if connection.execute(query).first() is None:
                connection.execute(
                    insert(permissions).values(
                        id=new_id("permission"),
                        created_at=int(time.time()),
                        checkpoint=checkpoint,
                        project=project,
                    )
                )
            found.append(dict(connection.execute(query).mappings().one()))
    return envelope([_as_object(row) for row in found], none=None)


@router.get("/{checkpoint:path}/permissions")
def list_permissions(
    request: Request,
    checkpoint: str,
    store: StoreOfApp,
    after: str | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 10,
    order: Literal["ascending", "descending"] = "descending",
    project_id: str | None = None,
) -> dict[str, Any]:
    """The permissions of a checkpoint."""
    _refuse_unknown(store, checkpoint)
    where = [permissions.c.checkpoint == checkpoint]
    if project_id is not None:
        where.append(permissions.c.project == project_id)
    newest = order == "descending"
    rows, more = page(store, permissions, *where, after=after, limit=limit, newest_first=newest)
    return envelope([_as_object(row) for row in rows], has_more=more, none=None)


@router.delete("/{checkpoint:path}/permissions/{permission_id}")
def delete_permission(checkpoint: str, permission_id: str, store: StoreOfApp) -> dict[str, Any]:
    """Take one away."""
    if not store.remove(permissions, permission_id, permissions.c.checkpoint == checkpoint):
        raise not_found("permission", permission_id, param="permission_id")
    return {"id": permission_id, "object": "checkpoint.permission", "deleted": True}


def _refuse_unknown(store: Store, checkpoint: str) -> None:
    if store.get(models, checkpoint) is None:
        raise no_such_model(checkpoint, "fine_tuned_model_checkpoint")


def _as_object(row: Row) -> dict[str, Any]:
    return {
        "object": "checkpoint.permission",
        "id": row["id"],
        "created_at": row["created_at"],
        "project_id": row["project"],
    }
