"""The OpenAPI document of a server: every route with all that it may answer, refusals too."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from tunewright.serve.answer_shapes import BYTES, EVENTS, SHAPES, STREAMED
from tunewright.serve.door.key_check import OPEN

REFUSALS = {
    400: "The request is wrong: the message says what, `param` where.",
    401: "There is no key in it, or one that does not hold.",
    403: "It comes under another name, from another page, or asks for what nobody may.",
    404: "What it names is not here.",
    408: "Its body comes too slowly.",
    409: "What it names is in another state; to try again is of no use.",
    413: "Its body, or a part of it, is too large.",
    429: "These are too many requests; `retry-after` says when to come again.",
    503: "The server is closing.",
    507: "The disk cannot take it.",
}
_ERROR: dict[str, Any] = {
    "type": "object",
    "required": ["error"],
    "additionalProperties": False,
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "param", "code"],
            "additionalProperties": False,
            "properties": {
                "message": {"type": "string", "minLength": 1},
                "type": {"type": "string"},
                "param": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                "code": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            },
        }
    },
}
_CHANGING = ("cancel", "pause", "resume", "complete")
"""Last words of paths that ask for another state."""


def document(app: FastAPI) -> dict[str, Any]:
    """OpenAPI 3.1, made once for each app."""
    if app.openapi_schema is None:
        found = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        for path, methods in found["paths"].items():
            for method, operation in methods.items():
                _complete(f"{method.upper()} {path}", path, operation)
        parts = found["components"]
        for unused in ("HTTPValidationError", "ValidationError"):
            parts["schemas"].pop(unused, None)
        parts["schemas"]["Error"] = _ERROR
        parts["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        app.openapi_schema = found
    return app.openapi_schema


def _complete(name: str, path: str, operation: dict[str, Any]) -> None:
    """Write into an operation what its route does not say itself."""
    operation["security"] = [] if path in OPEN else [{"key": []}]
    answers = operation["responses"]
    answers.pop("422", None)  # such a request is answered with 400 here
    answers["200"]["content"] = _good(name)
    has_body = "requestBody" in operation
    names_something = has_body or "{" in path
    for status, told in REFUSALS.items():
        may_be = {
            401: path not in OPEN,
            404: names_something,
            408: has_body,
            409: path.rpartition("/")[2] in _CHANGING,
            507: not name.startswith("GET"),
        }
        if may_be.get(status, True):
            schema = {"$ref": "#/components/schemas/Error"}
            content = {"application/json": {"schema": schema}}
            answers[str(status)] = {"description": told, "content": content}


def _good(name: str) -> dict[str, Any]:
    if name in BYTES:
        return {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}}
    events = {EVENTS: {"schema": {"type": "string"}}} if name in STREAMED else {}
    return {"application/json": {"schema": SHAPES.get(name, {"type": "object"})}, **events}
