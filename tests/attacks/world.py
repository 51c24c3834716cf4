"""A server with one thing of every kind in it, which no attack may read, change or add to."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from sqlalchemy import select

from attacks.targets import Target, targets_of
from attacks.wire import Answer, Request, ask
from served import listening, settings_in
from tunewright.serve import tables
from tunewright.serve.app import build_app
from tunewright.serve.keys import create_key, revoke_key

PATIENCE_S = 1.5
CHECKPOINT = "ft:tiny:local:mine:abc"
GRADER = {
    "type": "string_check",
    "name": "same",
    "input": "{{sample.output_text}}",
    "reference": "a",
    "operation": "eq",
}
FIELDS: dict[str, Any] = {
    "model": "tiny",
    "filename": "a.jsonl",
    "purpose": "fine-tune",
    "messages": [{"role": "user", "content": "hello"}],
    "input": "hello",
    "endpoint": "/v1/embeddings",
    "grader": GRADER,
    "project_ids": ["mine"],
    "bytes": 9,
}


@dataclass(frozen=True)
class World:
    """A server that listens.

    Args:
        key: that holds. revoked: one that does not any more.
        known: what requests name: parameter or field → value.
    """

    app: FastAPI
    folder: Path
    port: int
    key: str
    revoked: str
    known: dict[str, Any]

    @property
    def targets(self) -> list[Target]:
        """Its routes."""
        return targets_of(self.app)

    def proper(self, target: Target) -> Request:
        """A request that there is nothing wrong with."""
        known = self.known
        if target.path.startswith("/v1/models"):
            known = {**known, "model": CHECKPOINT}
        return target.request(known, key=self.key)

    def ask(self, request: Request) -> Answer:
        """Send it."""
        return ask(self.port, request)

    def state(self) -> str:
        """All that is kept, as one text: rows, files, runs and models."""
        with self.app.state.store.reading() as connection:
            rows = {
                table.name: [dict(row) for row in connection.execute(select(table)).mappings()]
                for table in tables.metadata.sorted_tables
            }
        files = {
            str(path): path.stat().st_size
            for path in sorted(self.folder.rglob("*"))
            if path.is_file() and "sqlite" not in path.name
        }
        return json.dumps([rows, files], sort_keys=True, indent=1)


@contextmanager
def world_in(folder: Path, **settings: Any) -> Iterator[World]:
    """Within, there is one."""
    app = build_app(
        settings_in(
            folder,
            **{
                "models": ("tiny=nowhere",),
                "requests_per_minute": 10**6,
                "max_file_mib": 1,
                "max_body_mib": 1,
                "patience_s": PATIENCE_S,
                **settings,
            },
        )
    )
    store = app.state.store
    key, revoked = (create_key(store, name)["key"] for name in ("mine", "old"))
    revoke_key(store, "old")
    with listening(app) as url:
        world = World(app, folder, int(url.rpartition(":")[2]), key, revoked, dict(FIELDS))
        _fill(world)
        yield world


def _fill(world: World) -> None:
    known, now = world.known, int(time.time())
    for purpose, name in (("fine-tune", "file_id"), ("batch", "input_file_id")):
        known[name] = _made(world, "POST /v1/files", {"purpose": purpose})
    known["training_file"] = known["file_id"]
    known["upload_id"] = _made(world, "POST /v1/uploads")
    known["part_ids"] = [_made(world, "POST /v1/uploads/{upload_id}/parts")]
    known["job_id"] = _made(world, "POST /v1/fine_tuning/jobs")
    store = world.app.state.store
    store.add(
        tables.models,
        id=CHECKPOINT,
        owned_by="local",
        base="tiny",
        path=str(world.folder / "model"),
        job=known["job_id"],
        task="text-generation",
    )
    known["checkpoint"] = CHECKPOINT
    given = "POST /v1/fine_tuning/checkpoints/{checkpoint}/permissions"
    known["permission_id"] = _made(world, given)
    told = {"id": "chatcmpl-1", "object": "chat.completion", "created": now, "model": "tiny"}
    told |= {"choices": [], "usage": {"prompt_tokens": 1, "total_tokens": 1}}
    _keep(world, told, messages=[{"id": "msg_1", "role": "user", "content": "hello"}], told=told)
    known["completion_id"] = told["id"]
    response = {"id": "resp_1", "object": "response", "created_at": now, "model": "tiny"}
    response |= {"status": "completed", "output": []}
    item = {"id": "msg_1", "type": "message", "role": "user", "content": []}
    _keep(world, response, response=response, items=[item])
    known["response_id"] = response["id"]
    batch = {"id": "batch_1", "object": "batch", "created_at": now, "endpoint": "/v1/embeddings"}
    batch |= {"input_file_id": known["input_file_id"], "completion_window": "24h"}
    batch |= {"status": "completed", "request_counts": {"total": 0, "completed": 0, "failed": 0}}
    store.add(tables.objects, id="batch_1", kind="batch", status="completed", body=batch)
    known["batch_id"] = batch["id"]


def _keep(world: World, made: Mapping[str, Any], **body: Any) -> None:
    kind = str(made["object"])
    world.app.state.store.add(tables.objects, id=made["id"], kind=kind, body=body)


def _made(world: World, name: str, more: Mapping[str, Any] | None = None) -> str:
    """Have something made, and its id; of a list that of the first."""
    target = next(each for each in world.targets if each.name == name)
    request = target.request({**world.known, **(more or {})}, key=world.key)
    answer = world.ask(request)
    assert answer.status == 200, answer.body
    found = json.loads(answer.body)
    return str(found["data"][0]["id"] if found["object"] == "list" else found["id"])
