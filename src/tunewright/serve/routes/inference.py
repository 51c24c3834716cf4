"""Routes that ask a model for something."""

from __future__ import annotations

from fastapi import APIRouter

from tunewright.serve.routes import chat, completions, embeddings, responses, stored_chat

INFERENCE: tuple[APIRouter, ...] = (
    chat.router,
    stored_chat.router,
    completions.router,
    embeddings.router,
    responses.router,
)
