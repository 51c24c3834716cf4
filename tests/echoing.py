"""A server whose chat model says what it was told: `python tests/echoing.py FOLDER PORT_FILE`."""

from __future__ import annotations

import asyncio
import socket
import sys
from pathlib import Path
from typing import Any

import uvicorn
from fastapi import APIRouter, FastAPI

from tunewright.serve.answers import ApiError
from tunewright.serve.app import build_app
from tunewright.serve.settings import ServeSettings

CHAT, EMBEDDINGS = "/v1/chat/completions", "/v1/embeddings"


class Echo:
    """What was asked, and how long an answer takes."""

    def __init__(self, delay_s: float = 0.0) -> None:
        self.asked: list[dict[str, Any]] = []
        self.delay_s = delay_s

    async def chat(self, body: dict[str, Any]) -> dict[str, Any]:
        self.asked.append(body)
        await asyncio.sleep(self.delay_s)
        if body.get("model") != "echo":
            told = f"The model `{body.get('model')}` does not exist"
            raise ApiError(404, told, "model", "model_not_found")
        message = {"role": "assistant", "content": body["messages"][-1]["content"]}
        usage = {"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7}
        choice = {"index": 0, "message": message, "finish_reason": "stop"}
        return {"object": "chat.completion", "choices": [choice], "usage": usage}

    async def embed(self, body: dict[str, Any]) -> dict[str, Any]:
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        rows = [{"object": "embedding", "embedding": [float(len(text)), 1.0]} for text in texts]
        usage = {"prompt_tokens": len(texts), "total_tokens": len(texts)}
        return {"object": "list", "data": rows, "usage": usage}


def with_echo(settings: ServeSettings, echo: Echo) -> FastAPI:
    """The app of a server, with the echo in place of its own models."""
    app = build_app(settings)
    router = APIRouter()
    router.post(CHAT)(echo.chat)
    router.post(EMBEDDINGS)(echo.embed)
    before = len(app.router.routes)
    app.include_router(router)
    routes = app.router.routes
    routes[:] = routes[before:] + routes[:before]  # the first that fits answers
    return app


if __name__ == "__main__":
    listener = socket.create_server(("127.0.0.1", 0))
    Path(sys.argv[2]).write_text(str(listener.getsockname()[1]), "ascii")
    app = with_echo(ServeSettings(folder=Path(sys.argv[1])), Echo(delay_s=0.2))
    uvicorn.Server(uvicorn.Config(app, log_config=None)).run(sockets=[listener])
