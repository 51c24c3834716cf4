"""The OpenAPI document of a server: every route is in it, whole, and it is told with a key alone."""

from __future__ import annotations

from pathlib import Path

import httpx

from attacks.targets import routes_of
from served import listening, settings_in
from tunewright.serve.answer_shapes import BYTES, SHAPES
from tunewright.serve.app import build_app
from tunewright.serve.described import document
from tunewright.serve.keys import create_key


def test_every_route_says_what_it_answers(tmp_path: Path) -> None:
    app = build_app(settings_in(tmp_path))
    assert {*SHAPES, *BYTES, "GET /openapi.json"} == routes_of(app)
    for path, methods in document(app)["paths"].items():
        for method, operation in methods.items():
            statuses = set(operation["responses"])
            assert {"200", "400", "403", "413", "429", "503"} <= statuses, (method, path)
            assert "422" not in statuses
            assert ("401" in statuses) == bool(operation["security"]) == (path != "/health")
    app.state.store.close()


def test_the_document_is_told_with_a_key_alone(tmp_path: Path) -> None:
    app = build_app(settings_in(tmp_path))
    key = create_key(app.state.store, "mine")["key"]
    with listening(app) as url:
        assert httpx.get(f"{url}/openapi.json").status_code == 401
        told = httpx.get(f"{url}/openapi.json", headers={"authorization": f"Bearer {key}"}).json()
    assert told["openapi"].startswith("3.1")
    assert told == document(app)


def test_another_method_is_told_which_there_are(tmp_path: Path) -> None:
    app = build_app(settings_in(tmp_path))
    with listening(app) as url:
        answer = httpx.put(f"{url}/v1/files")
    assert answer.status_code == 405
    assert {"GET", "POST"} <= set(answer.headers["allow"].split(", "))
