"""What an error looks like on the wire, and how every failure becomes one."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import iter_route_contexts
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from tunewright.errors import FailedRunError, TunewrightError

_log = logging.getLogger("tunewright.serve")
_TYPES = {401: "invalid_request_error", 403: "permission_error", 429: "rate_limit_error"}


class ApiError(Exception):
    """A request that is refused.

    Args:
        status: of HTTP.
        message: what happened and what was expected.
        param: the field that is wrong, such as `method.dpo.hyperparameters.beta`.
        code: a stable word for programs.
        headers: more headers of the answer.
    """

    def __init__(
        self,
        status: int,
        message: str,
        param: str | None = None,
        code: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.param = param
        self.code = code
        self.headers = dict(headers or {})


def not_found(what: str, identifier: str, *, param: str = "id") -> ApiError:
    """404 that names the id.

    >>> not_found("fine-tuning job", "ftjob-1").message
    'No such fine-tuning job: ftjob-1'
    """
    return ApiError(404, f"No such {what}: {identifier}", param, f"{what.split()[-1]}_not_found")


def error_body(error: ApiError) -> dict[str, Any]:
    """`{"error": {message, type, param, code}}`."""
    kind = "server_error" if error.status >= 500 else "invalid_request_error"
    return {
        "error": {
            "message": error.message,
            "type": _TYPES.get(error.status, kind),
            "param": error.param,
            "code": error.code,
        }
    }


def error_response(error: ApiError) -> JSONResponse:
    """The answer for an error; a conflict says that trying again is of no use."""
    headers = dict(error.headers)
    if error.status == 409:
        headers.setdefault("x-should-retry", "false")
    return JSONResponse(error_body(error), error.status, headers)


def install_handlers(app: FastAPI) -> None:
    """Every failure of every route becomes an error body."""

    async def api_error(_: Request, error: Any) -> JSONResponse:
        return error_response(error)

    async def user_error(request: Request, error: Any) -> JSONResponse:
        return error_response(_of_user_error(request, error))

    async def wrong_fields(_: Request, error: Any) -> JSONResponse:
        return error_response(_first_wrong_field(error.errors()))

    async def http_error(request: Request, error: Any) -> JSONResponse:
        return error_response(_of_http(request, error))

    app.add_exception_handler(ApiError, api_error)
    app.add_exception_handler(TunewrightError, user_error)
    app.add_exception_handler(RequestValidationError, wrong_fields)
    app.add_exception_handler(HTTPException, http_error)


def _of_user_error(request: Request, error: TunewrightError) -> ApiError:
    """A mistake is the client's; what the disk refuses is not, and names paths of this machine."""
    if not isinstance(error, FailedRunError):
        return ApiError(400, f"{error.what}; {error.fix}")
    request_id = request.scope["state"]["request_id"]
    _log.error("%s failed: %s", request_id, error.what)
    told = f"The server cannot do this now; its log says why, at {request_id}"
    return ApiError(507, told, None, "server_error")


def _of_http(request: Request, error: HTTPException) -> ApiError:
    if error.status_code == 404:
        url = f"{request.method} {request.url.path}"
        return ApiError(404, f"Invalid URL ({url})", None, "unknown_url")
    if error.status_code == 405:
        url = f"{request.method} {request.url.path}"
        told = f"Not allowed: {url}"
        allowed = {"allow": ", ".join(_methods(request))}
        return ApiError(405, told, None, "method_not_supported", headers=allowed)
    return ApiError(error.status_code, str(error.detail), headers=error.headers)


def _methods(request: Request) -> list[str]:
    """All that the routes of this path take, of which each knows its own alone.

    A path that is also the name of a thing, such as `responses/input_tokens`, is not taken as one.
    """
    found: dict[str, set[str]] = {}
    for route in iter_route_contexts(request.app.routes):
        path = str(route.path)
        if compile_path(path)[0].match(request.url.path):
            found.setdefault(path, set()).update(route.methods or ())
    return sorted(found[min(found, key=lambda path: path.count("{"))]) if found else []


def _first_wrong_field(errors: Sequence[Any]) -> ApiError:
    """One message for all that is wrong, with the place of the first."""
    first = errors[0]
    param = field_path(first["loc"])
    if first["type"] == "json_invalid":
        reason = first.get("ctx", {}).get("error", "")
        return ApiError(400, f"The body is not valid JSON: {reason}", None, "invalid_json")
    codes = {"missing": "missing_required_parameter", "extra_forbidden": "unknown_parameter"}
    told = "; ".join(_told(each) for each in errors[:5])
    return ApiError(400, told, param, codes.get(first["type"], "invalid_value"))


def field_path(place: Sequence[Any]) -> str | None:
    """`method.dpo.hyperparameters.beta` from a validator's place.

    >>> field_path(("body", "items", 0, "text"))
    'items[0].text'
    """
    path = ""
    for part in place[1:]:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else str(part)
    return path or None


def _told(error: Any) -> str:
    path = field_path(error["loc"])
    if error["type"] == "extra_forbidden":
        return f"Unknown parameter: '{path}'"
    if error["type"] == "missing":
        return f"Missing required parameter: '{path or 'body'}'"
    if not path and error["type"] in ("model_attributes_type", "dict_type"):
        return (
            "The body is no JSON object, or came without the header content-type: application/json"
        )
    told = str(error["msg"]).removeprefix("Value error, ")
    return f"Invalid value for '{path}': {told}" if path else told
