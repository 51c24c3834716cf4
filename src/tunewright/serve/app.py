"""The app is data: a list of routers, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from tunewright.serve.answers import install_handlers
from tunewright.serve.door.access_log import AccessLog
from tunewright.serve.door.body_limit import BodyLimit
from tunewright.serve.door.key_check import KeyCheck
from tunewright.serve.door.origins import OriginCheck
from tunewright.serve.door.rate_limit import RateLimit
from tunewright.serve.door.request_id import RequestIds
from tunewright.serve.engine.engine import open_engine
from tunewright.serve.routes import (
    batches,
    files,
    graders,
    health,
    jobs,
    models,
    openapi,
    permissions,
    uploads,
)
from tunewright.serve.routes.inference import INFERENCE
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store, open_store
from tunewright.serve.sweeping import sweep

ROUTERS: tuple[APIRouter, ...] = (
    health.router,
    openapi.router,
    files.router,
    uploads.router,
    jobs.router,
    models.router,
    permissions.router,
    *INFERENCE,
    graders.router,
    batches.router,
)
"""Each finds what it needs in `request.app.state`: settings, store, engine."""


def build_app(settings: ServeSettings) -> FastAPI:
    """The server, ready for uvicorn.

    Raises:
        RunError: the database cannot be opened.
    """
    store = open_store(settings)
    sweep(settings, store)
    app = FastAPI(
        title="Tunewright",
        lifespan=_lifespan,
        middleware=_before_routes(settings, store),
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.store = store
    app.state.engine = None
    install_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


def _before_routes(settings: ServeSettings, store: Store) -> list[Middleware]:
    """What a request goes through, in this order; each may answer before the body is read."""
    return [
        Middleware(RequestIds),
        Middleware(AccessLog),
        Middleware(RateLimit, settings=settings),
        Middleware(OriginCheck, settings=settings),
        Middleware(
            CORSMiddleware,
            allow_origins=settings.origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["authorization", "content-type"],
            expose_headers=["x-request-id"],
        ),
        Middleware(KeyCheck, settings=settings, store=store),
        Middleware(BodyLimit, settings=settings),
    ]


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.engine = open_engine(app.state.settings)
    try:
        yield
    finally:
        app.state.engine.close()
        app.state.store.close()
