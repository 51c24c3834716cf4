"""Routes that read bodies strictly, and refuse what they do not know in a query."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.routing import APIRoute

from tunewright.serve.answers import ApiError
from tunewright.serve.listing import LONGEST_KEY, LONGEST_VALUE, MOST_PAIRS
from tunewright.serve.strict_json import read_json

PAIRS: dict[str, Any] = {
    "parameters": [
        {
            "name": "metadata",
            "in": "query",
            "required": False,
            "style": "deepObject",
            "explode": True,
            "schema": {
                "type": "object",
                "maxProperties": MOST_PAIRS,
                "propertyNames": {"pattern": f"^[^\\x00]{{0,{LONGEST_KEY}}}$"},
                "additionalProperties": {"type": "string", "maxLength": LONGEST_VALUE},
            },
        }
    ]
}
"""`openapi_extra` of a route that takes `metadata[key]=value` beside its parameters."""


class _StrictRequest(Request):
    async def json(self) -> Any:
        """The body; FastAPI makes an answer of the error."""
        try:
            return read_json(await self.body())
        except ValueError as error:
            raise json.JSONDecodeError(str(error), "", 0) from None


class StrictRoute(APIRoute):
    """Reads bodies by `read_json`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """See `APIRoute`."""
        handle = super().get_route_handler()

        async def handle_strictly(request: Request) -> Response:
            return await handle(_StrictRequest(request.scope, request.receive))

        return handle_strictly


def new_router(prefix: str = "", *, lifespan: Any = None) -> APIRouter:
    """A router for routes of the API."""
    return APIRouter(
        prefix=prefix,
        lifespan=lifespan,
        route_class=StrictRoute,
        dependencies=[Depends(_refuse_query)],
    )


async def _refuse_query(request: Request) -> None:
    """Raise ApiError for what the route does not declare, what comes twice, and NUL anywhere."""
    if "\0" in request.scope["path"]:
        raise ApiError(404, "There is nothing whose name holds NUL", None, "unknown_url")
    route = request.scope["route"]
    known = {parameter.alias for parameter in route.dependant.query_params}
    pairs = {each["name"] for each in (route.openapi_extra or {}).get("parameters", ())}
    seen = set[str]()
    for name, value in request.query_params.multi_items():
        if name not in known | pairs and name.partition("[")[0] not in pairs:
            raise ApiError(400, f"Unknown parameter: '{name}'", name, "unknown_parameter")
        if name in seen or "\0" in name + value:
            told = f"'{name}' is there twice, or holds the character NUL"
            raise ApiError(400, told, name, "invalid_value")
        seen.add(name)
