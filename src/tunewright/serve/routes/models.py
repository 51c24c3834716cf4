"""`/v1/models`: what there is, and taking away what was trained."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from typing import Any

from fastapi import Request
from sqlalchemy import delete

from tunewright.serve.answers import ApiError
from tunewright.serve.dependencies import SettingsOfApp, StoreOfApp
from tunewright.serve.known_models import KnownModel, find_known, known_models, no_such_model
from tunewright.serve.strict_routes import new_router
from tunewright.serve.tables import checkpoints, models

router = new_router("/v1/models")
_OF_STEP = re.compile(r":ckpt-step-\d+$")


@router.get("")
def list_models(request: Request, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """Bases and tuned models; this list has no pages."""
    return {"object": "list", "data": [_as_object(each) for each in known_models(settings, store)]}


@router.get("/{model:path}")
def retrieve_model(model: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """One model; a `/` in its name may be written as it is, or as %2F."""
    return _as_object(find_known(settings, store, model))


@router.delete("/{model:path}")
def delete_model(model: str, settings: SettingsOfApp, store: StoreOfApp) -> dict[str, Any]:
    """Delete a tuned model's weights; the job, its files and the report of its run stay."""
    known = find_known(settings, store, model)
    if not known.is_tuned:
        told = f"{model} is a base, and only models that were trained here can be deleted"
        raise ApiError(403, told, "model", "model_not_deletable")
    if not store.remove(models, known.id):
        raise no_such_model(model)
    if _OF_STEP.search(known.id):
        with store.writing() as connection:
            connection.execute(delete(checkpoints).where(checkpoints.c.model == known.id))
    shutil.rmtree(Path(known.source), ignore_errors=True)
    return {"id": known.id, "object": "model", "deleted": True}


def _as_object(model: KnownModel) -> dict[str, Any]:
    return {
        "id": model.id,
        "object": "model",
        "created": model.created_at,
        "owned_by": model.owned_by,
    }
