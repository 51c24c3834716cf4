"""Who may ask, from where, how often and how much; and that the log holds no secret."""

from __future__ import annotations

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import OpenAI
from sqlalchemy import select

from served import KEY, listening, served, settings_in
from tunewright.errors import RunError
from tunewright.serve.app import build_app
from tunewright.serve.door.rate_limit import RateLimit
from tunewright.serve.keys import create_key, list_keys, revoke_key
from tunewright.serve.running import refuse_open_door
from tunewright.serve.store import Store
from tunewright.serve.tables import keys


def store_in(folder: Path) -> Store:
    app = build_app(settings_in(folder))
    found: Store = app.state.store
    return found


def test_once_a_key_was_made_it_is_asked_for(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    with served(settings_in(tmp_path)) as client:
        assert list(client.files.list()) == []
        made = create_key(store, "me")
        with pytest.raises(openai.AuthenticationError) as error:
            client.files.list()
        assert (error.value.code, error.value.status_code) == ("invalid_api_key", 401)
        assert error.value.request_id
        with pytest.raises(openai.AuthenticationError):  # before a body is read
            client.files.create(file=("a.jsonl", b"{}\n" * 1_000_000), purpose="evals")
        mine = client.with_options(api_key=made["key"])
        assert list(mine.files.list()) == []
        revoke_key(store, "me")
        with pytest.raises(openai.AuthenticationError):
            mine.files.list()
        assert httpx.get(str(client.base_url).replace("/v1/", "/health")).status_code == 200
    store.close()


def test_keys_are_kept_as_hashes(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    made = create_key(store, "me")
    with store.reading() as connection:
        rows = connection.execute(select(keys)).all()
    assert made["key"] not in str(rows)
    (listed,) = list_keys(store)
    assert listed["hint"] == made["key"][-4:]
    assert made["key"] not in json.dumps(listed)
    with pytest.raises(RunError, match="nobody"):
        revoke_key(store, "nobody")
    with pytest.raises(RunError, match="a key that holds is called 'me'"):
        create_key(store, "me")
    revoke_key(store, "me")
    create_key(store, "me")
    store.close()


def test_beyond_loopback_there_is_no_server_without_a_key(tmp_path: Path) -> None:
    store = store_in(tmp_path)
    open_door = settings_in(tmp_path, host="0.0.0.0")
    with pytest.raises(RunError, match="others can reach"):
        refuse_open_door(open_door, store)
    refuse_open_door(settings_in(tmp_path), store)
    create_key(store, "me")
    refuse_open_door(open_door, store)
    with pytest.raises(RunError, match="others can reach"):
        refuse_open_door(settings_in(tmp_path, host="0.0.0.0", require_keys=False), store)
    revoke_key(store, "me")
    for settings in (open_door, settings_in(tmp_path)):
        with pytest.raises(RunError, match="that holds"):
            refuse_open_door(settings, store)
    store.close()


def ask(client: OpenAI, **headers: str) -> httpx.Response:
    return httpx.get(f"{client.base_url}files", headers=headers)


def test_strange_names_and_pages_are_refused(tmp_path: Path) -> None:
    settings = settings_in(tmp_path, origins=("https://app.example",), hosts=("tune.example",))
    with served(settings) as client:
        own = f"127.0.0.1:{client.base_url.port}"
        assert ask(client).status_code == 200
        assert ask(client, host="tune.example").status_code == 200
        assert ask(client, host="evil.example").json()["error"]["code"] == "host_not_allowed"
        assert ask(client, origin="https://evil.example").status_code == 403
        assert ask(client, origin="null").status_code == 403
        assert ask(client, origin=f"http://{own}").status_code == 200
        friend = ask(client, origin="https://app.example")
        assert friend.headers["access-control-allow-origin"] == "https://app.example"
        assert "access-control-allow-origin" not in ask(client).headers
        asked = {"access-control-request-method": "POST"}
        preflight = httpx.options(
            f"{client.base_url}files", headers={"origin": "https://app.example", **asked}
        )
        assert preflight.status_code == 200
        evil = httpx.options(f"{client.base_url}files", headers={"origin": "https://a.b", **asked})
        assert evil.status_code == 403


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("[::1]", 200), (socket.gethostname(), 200), ("evil.example", 403)],
)
def test_a_server_on_every_address_knows_addresses_and_its_machine(
    tmp_path: Path, host: str, status: int
) -> None:
    settings = settings_in(tmp_path, host="0.0.0.0", require_keys=False)
    with served(settings) as client:
        named = f"{host}:{client.base_url.port}"
        assert ask(client, host=named).status_code == status
        assert ask(client, host=named, origin=f"http://{named}").status_code == status


def test_too_many_requests_are_told_when_to_come_again(tmp_path: Path) -> None:
    with served(settings_in(tmp_path, requests_per_minute=3)) as client:
        for _ in range(3):
            client.files.list()
        with pytest.raises(openai.RateLimitError) as error:
            client.files.list()
        assert error.value.code == "rate_limit_exceeded"
        assert int(error.value.response.headers["retry-after"]) >= 1


def test_a_bucket_fills_evenly() -> None:
    now = [0.0]
    limit = RateLimit(None, settings_in(Path(), requests_per_minute=60), lambda: now[0])  # type: ignore[arg-type]
    assert [limit.wait_s("a") for _ in range(60)] == [0.0] * 60
    assert limit.wait_s("a") == pytest.approx(1.0)
    assert limit.wait_s("b") == 0.0
    now[0] = 1.5
    assert limit.wait_s("a") == 0.0
    assert limit.wait_s("a") == pytest.approx(0.5)


def test_the_log_names_who_asked_what_and_no_secret(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "tunewright.serve.access")
    app = build_app(settings_in(tmp_path))
    made = create_key(app.state.store, "me")
    with listening(app) as url:
        head = {"authorization": f"Bearer {made['key']}"}
        httpx.get(f"{url}/v1/files?after=secret-cursor", headers=head)
        httpx.get(f"{url}/v1/%1b[31mred", headers=head)
    told = [record.getMessage() for record in caplog.records]
    assert "GET '/v1/files' 400" in told[0]
    assert made["id"] in told[0]
    for secret in (made["key"], "secret-cursor", KEY, "\x1b"):
        assert secret not in "".join(told)


def test_the_command_serves_and_ends_its_worker_with_it(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    words = [sys.executable, "-m", "tunewright.cli.main", "serve", "--port", "0", "--json"]
    process = subprocess.Popen(
        [*words, "--folder", str(folder)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                assert httpx.get(f"{url}/files").status_code == 200
                break
            except httpx.ConnectError:
                time.sleep(0.1)
        made = json.loads(cli("keys", "create", "me", "--folder", folder).out)
        assert httpx.get(f"{url}/files").status_code == 401
        head = {"authorization": f"Bearer {made['key']}"}
        assert httpx.get(f"{url}/files", headers=head).status_code == 200
        os.kill(process.pid, signal.SIGTERM)
        assert process.wait(60) in (0, -signal.SIGTERM, 143)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def test_wrong_words_are_refused_in_two_lines(cli: Any, tmp_path: Path) -> None:
    folder = tmp_path / "served"
    assert "--port" in cli("serve", "--port", "99999", "--folder", folder).error()
    for option, value, told in (
        ("--hosts", "https://tune.example/", "is no name of a host"),
        ("--origins", "app.example", "is no origin"),
        ("--models", "gpt-4o-mini", "is no name of the catalog"),
        ("--models", f"mine={tmp_path}", "no folder of a model"),
    ):
        said = cli("serve", option, value, "--folder", folder).error()
        assert told in said
        assert "Value error" not in said
    said = cli("serve", "--model", "minilm").error()
    assert "--models" in said
    assert "did you mean --model?" not in said
    assert "no folder" in cli("keys", "list", "--folder", tmp_path / "nowhere").error()
    assert not (tmp_path / "nowhere").exists()
    assert "others can reach" in cli("serve", "--host", "0.0.0.0", "--folder", folder).error()
    assert "names no key" in cli("keys", "create", "--folder", folder).error()
    said = cli("keys", "list", "--folder", folder, "--database", "nonsense").error()
    assert "database cannot be opened" in said
    assert cli("keys", "list", "--json", "--folder", folder).out == "[]\n"
