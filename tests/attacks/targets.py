"""The routes of an app, found in the app itself, and a proper request to each."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from attacks.wire import Request
from tunewright.serve.described import document

BOUNDARY = "b0undary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@dataclass(frozen=True)
class Target:
    """A route.

    Args:
        path: with its parameters in braces.
        schema: of the body, None where it reads none. parts: what the schema refers to.
        is_form: whether the body is a form with a file.
        is_open: whether it asks for no key.
    """

    method: str
    path: str
    schema: dict[str, Any] | None = None
    parts: Mapping[str, Any] = field(default_factory=dict)
    is_form: bool = False
    is_open: bool = False

    @property
    def name(self) -> str:
        """As people write it."""
        return f"{self.method} {self.path}"

    @property
    def parameters(self) -> list[str]:
        """Of the path."""
        return re.findall(r"{(\w+)}", self.path)

    def request(self, known: Mapping[str, Any], *, key: str) -> Request:
        """A proper request.

        Args:
            known: parameter or field → its value; what is not there gets one of its type.
        """
        named = {each: str(known.get(each, f"none-{each}")) for each in self.parameters}
        headers = {"authorization": f"Bearer {key}"}
        body = None
        if self.schema is not None:
            headers["content-type"] = FORM if self.is_form else "application/json"
            body = self.body(self.example(known))
        return Request(self.method, self.path.format(**named), headers, body)

    def example(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """The fields that have to be there."""
        found: dict[str, Any] = _example(self.schema or {}, self.parts, known)
        return found

    def body(self, fields: Mapping[str, Any], *, filename: str = "a.jsonl") -> bytes:
        """The fields as the route reads them."""
        if not self.is_form:
            return json.dumps(fields).encode()
        return (
            b"".join(_form_part(name, value, filename) for name, value in fields.items())
            + closing()
        )


def targets_of(app: FastAPI) -> list[Target]:
    """Every route, in the order of their paths."""
    described = document(app)
    parts = described["components"]["schemas"]
    found = []
    for path, methods in described["paths"].items():
        for method, operation in methods.items():
            content = operation.get("requestBody", {}).get("content", {})
            is_form = "multipart/form-data" in content
            schema = next(iter(content.values()))["schema"] if content else None
            is_open = operation["security"] == []
            found.append(Target(method.upper(), path, schema, parts, is_form, is_open))
    return sorted(found, key=lambda each: (each.path, each.method))


def routes_of(app: FastAPI) -> set[str]:
    """Names of all routes by what takes the requests, also of those that no document tells."""
    return {
        f"{method} {re.sub(r':path}', '}', str(each.path))}"
        for each in iter_route_contexts(app.routes)
        for method in each.methods or ()
    }


def closing() -> bytes:
    """The end of a form."""
    return f"--{BOUNDARY}--\r\n".encode()


def _form_part(name: str, value: Any, filename: str) -> bytes:
    ending = f'; filename="{filename}"' if isinstance(value, bytes) else ""
    head = f'--{BOUNDARY}\r\ncontent-disposition: form-data; name="{name}"{ending}\r\n\r\n'
    return head.encode("latin-1") + (value if ending else str(value).encode()) + b"\r\n"


def _example(schema: Mapping[str, Any], parts: Mapping[str, Any], known: Mapping[str, Any]) -> Any:
    if "$ref" in schema:
        return _example(parts[schema["$ref"].rpartition("/")[2]], parts, known)
    if "anyOf" in schema:
        return _example(schema["anyOf"][0], parts, known)
    if "const" in schema or "enum" in schema:
        return schema.get("const") or schema["enum"][0]
    if schema.get("contentMediaType"):
        return b'{"a": 1}\n'
    kind = schema.get("type", "string")
    if kind == "object":
        properties = schema.get("properties", {})
        return {
            name: known[name] if name in known else _example(properties[name], parts, known)
            for name in schema.get("required", ())
        }
    if kind == "array":
        return [_example(schema.get("items", {}), parts, known)] * schema.get("minItems", 0)
    return {"integer": schema.get("minimum", 1), "boolean": False}.get(kind, "x")
