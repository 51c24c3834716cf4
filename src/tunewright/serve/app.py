"""The app is data: a list of routers, and what stands before them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI
from starlette.middleware import Middleware

from tunewright.durable import make_folder
from tunewright.serve import (
    files_routes,
    graders_routes,
    health_routes,
    jobs_routes,
    models_routes,
    permissions_routes,
    uploads_routes,
)
from tunewright.serve.answers import install_handlers
from tunewright.serve.body_limit import BodyLimit
from tunewright.serve.engine.engine import open_engine
from tunewright.serve.inference_routes import INFERENCE
from tunewright.serve.request_id import RequestIds
from tunewright.serve.settings import ServeSettings
from tunewright.serve.store import Store

ROUTERS: tuple[APIRouter, ...] = (
    health_routes.router,
    files_routes.router,
    uploads_routes.router,
    jobs_routes.router,
    models_routes.router,
    permissions_routes.router,
    *INFERENCE,
    graders_routes.router,
)
"""Each finds what it needs in `request.app.state`: settings, store, engine."""


def build_app(settings: ServeSettings) -> FastAPI:
    """The server, ready for uvicorn.

    Raises:
        RunError: the database cannot be opened.
    """
    make_folder(settings.files_folder)
    app = FastAPI(
        title="Tunewright",
        lifespan=_lifespan,
        middleware=[Middleware(RequestIds), Middleware(BodyLimit, settings=settings)],
        openapi_url=None,
        redirect_slashes=False,
    )
    app.state.settings = settings
    app.state.store = Store(settings.database_url)
    app.state.engine = None
    install_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.engine = open_engine(app.state.settings)
    try:
        yield
    finally:
        app.state.engine.close()
        app.state.store.close()
