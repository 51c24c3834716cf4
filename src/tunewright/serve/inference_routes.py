"""Routes that ask a model for something."""

from __future__ import annotations

from fastapi import APIRouter

from tunewright.serve import (
    chat_routes,
    completions_routes,
    embeddings_routes,
    responses_routes,
    stored_chat_routes,
)

INFERENCE: tuple[APIRouter, ...] = (
    chat_routes.router,
    stored_chat_routes.router,
    completions_routes.router,
    embeddings_routes.router,
    responses_routes.router,
)
