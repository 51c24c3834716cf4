"""Every refusal is an error body that the official client understands."""

from pathlib import Path

import httpx
import openai
import pytest
from openai import OpenAI

from served import listening, settings_in
from tunewright.serve.app import build_app


def test_an_unknown_file_is_named(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.files.retrieve("file-none")
    assert error.value.code == "file_not_found"
    assert "file-none" in error.value.message
    assert error.value.request_id == error.value.response.headers["x-request-id"]


def test_an_unknown_route_has_an_error_body(client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as error:
        client.get("/nothing", cast_to=object)
    assert error.value.code == "unknown_url"


def test_a_limit_out_of_range_names_the_field(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.files.list(limit=0)
    assert error.value.param == "limit"


def test_a_cursor_of_another_list_is_refused(client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError) as error:
        client.files.list(after="file-none")
    assert error.value.param == "after"


def test_the_empty_list_ends_at_once(client: OpenAI) -> None:
    assert list(client.files.list()) == []


def test_a_fault_of_the_server_tells_nothing_of_its_inside(tmp_path: Path) -> None:
    app = build_app(settings_in(tmp_path))

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError(f"secret in {tmp_path}")

    with listening(app) as url:
        answer = httpx.get(f"{url}/broken")
        assert httpx.get(f"{url}/health").json() == {"status": "ok"}
    assert answer.status_code == 500
    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
    assert "secret" not in answer.text
    assert answer.headers["x-request-id"] in answer.text
