"""The stand-in over HTTP."""

from __future__ import annotations

import contextlib
import json
import random
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from email.parser import BytesParser
from email.policy import HTTP
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from openai_service.model import answer_of
from openai_service.quirks import Quirk
from openai_service.store import Store

KEY = "key-of-the-test"


@dataclass
class StandIn:
    """A service that runs.

    Args:
        requests: "METHOD path" of all that came. asked: bodies of chat completions.
        quirks: what is injected, the first that fits.
    """

    store: Store = field(default_factory=Store)
    quirks: list[Quirk] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    asked: list[dict[str, Any]] = field(default_factory=list)
    created: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    lock: Any = field(default_factory=threading.RLock)

    def count(self, of: str) -> int:
        """How many requests of a kind came."""
        return sum(bool(re.fullmatch(of, each)) for each in self.requests)


class Refused(Exception):
    """An error in the API's form."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code


@contextlib.contextmanager
def serving(**settings: Any) -> Iterator[StandIn]:
    """A stand-in on a free port of loopback.

    Args:
        settings: of its `Store`.
    """
    stand_in = StandIn(Store(**settings))
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bound", (Handler,), {"of": stand_in}))
    server.daemon_threads = True
    stand_in.url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield stand_in
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Handler(BaseHTTPRequestHandler):
    """One request."""

    protocol_version = "HTTP/1.1"
    of: StandIn

    def log_message(self, *_: Any) -> None:
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer("GET")

    def do_POST(self) -> None:
        self._answer("POST")

    def do_DELETE(self) -> None:
        self._answer("DELETE")

    def _answer(self, method: str) -> None:
        parts = urlsplit(self.path)
        path = unquote(parts.path).removeprefix("/v1")
        query = {key: values[-1] for key, values in parse_qs(parts.query).items()}
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        request = f"{method} {path}"
        with self.of.lock:
            self.of.requests.append(request)
            quirk = next((each for each in self.of.quirks if each.fits(request)), None)
            if quirk is None or quirk.done:
                status, content = self._done(method, path, query, body)
        if quirk is None:
            self._send(status, content, {})
        elif quirk.drop:
            self.close_connection = True
        else:
            self._send(quirk.status, quirk.content(), quirk.headers)

    def _done(
        self, method: str, path: str, query: dict[str, str], body: bytes
    ) -> tuple[int, bytes]:
        if self.headers.get("authorization") != f"Bearer {KEY}":
            return 401, _error("Incorrect API key provided", "invalid_api_key")
        try:
            found = self._route(method, path, query, body)
        except Refused as error:
            return error.status, _error(error.message, error.code)
        return 200, found if isinstance(found, bytes) else json.dumps(found).encode()

    def _route(self, method: str, path: str, query: dict[str, str], body: bytes) -> Any:
        store = self.of.store
        if (method, path) == ("POST", "/files"):
            name, content, purpose = _form(self.headers["content-type"], body)
            return store.add_file(name, content, purpose)
        if (method, path) == ("GET", "/files"):
            return self._page(list(store.files.values()), query)
        if (method, path) == ("POST", "/fine_tuning/jobs"):
            asked = json.loads(body)
            self.of.created.append(asked)
            return store.add_job(asked)
        if (method, path) == ("GET", "/fine_tuning/jobs"):
            return self._page(list(store.jobs.values()), query)
        if (method, path) == ("POST", "/chat/completions"):
            return self._chat(json.loads(body))
        if found := re.fullmatch(r"/files/([^/]+)(/content)?", path):
            if found[1] not in store.files:
                raise Refused(404, f"No such File object: {found[1]}")
            if method == "DELETE":
                del store.files[found[1]]
                return {"id": found[1], "object": "file", "deleted": True}
            return store.contents[found[1]] if found[2] else store.files[found[1]]
        if found := re.fullmatch(r"/fine_tuning/jobs/([^/]+)(/events|/checkpoints)?", path):
            if found[1] not in store.jobs:
                raise Refused(404, f"Could not find fine tune: {found[1]}")
            if found[2] == "/events":
                events = list(store.events[found[1]])
                if store.shuffled:
                    random.Random(len(events)).shuffle(events)
                return self._page(events, query)
            if found[2] == "/checkpoints":
                return self._page(store.checkpoints[found[1]], query)
            return store.look(found[1])
        raise Refused(404, f"Invalid URL ({method} {path})")

    def _page(self, oldest_first: list[dict[str, Any]], query: dict[str, str]) -> dict[str, Any]:
        rows, store = oldest_first[::-1], self.of.store
        ids = [each["id"] for each in rows]
        start = ids.index(query["after"]) + 1 if "after" in query and store.honours_after else 0
        limit = int(query.get("limit", 20))
        page: dict[str, Any] = {"object": "list", "data": rows[start : start + limit]}
        return page | ({"has_more": start + limit < len(rows)} if store.has_more else {})

    def _chat(self, body: dict[str, Any]) -> dict[str, Any]:
        self.of.asked.append(body)
        try:
            learned = self.of.store.learned(body["model"])
        except KeyError:
            raise Refused(
                404, f"The model `{body['model']}` does not exist", "model_not_found"
            ) from None
        message = answer_of(learned, body["messages"])
        choice = {"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}
        return {
            "id": "chatcmpl-1",
            "object": "chat.completion",
            "created": 0,
            "model": body["model"],
            "choices": [choice],
            "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        }

    def _send(self, status: int, content: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in {"content-type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


def _error(message: str, code: str | None) -> bytes:
    said = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    return json.dumps({"error": said}).encode()


def _form(kind: str, body: bytes) -> tuple[str, bytes, str]:
    """(file name, its content, purpose) of a multipart body."""
    message = BytesParser(policy=HTTP).parsebytes(f"content-type: {kind}\r\n\r\n".encode() + body)
    fields: dict[str, Any] = {}
    for part in message.iter_parts():
        name = part.get_param("name", header="content-disposition")
        fields[str(name)] = (part.get_filename(), part.get_payload(decode=True))
    name, content = fields["file"]
    return str(name), content, fields["purpose"][1].decode()
