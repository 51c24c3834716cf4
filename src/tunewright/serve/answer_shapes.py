"""What each route answers when all went well, as JSON Schemas for the OpenAPI document."""

from __future__ import annotations

from typing import Any

Shape = dict[str, Any]

WORD: Shape = {"type": "string"}
COUNT: Shape = {"type": "integer", "minimum": 0}
SOMETHING: Shape = {"type": "object"}
EVENTS = "text/event-stream"


def _object(kind: str | None, **fields: Shape) -> Shape:
    """An object with these fields, and with others; `kind` is its `object`."""
    named = fields if kind is None else {"object": {"const": kind}, **fields}
    return {"type": "object", "required": list(named), "properties": named}


def _or_null(shape: Shape) -> Shape:
    return {"anyOf": [shape, {"type": "null"}]}


def _list_of(shape: Shape, **fields: Shape) -> Shape:
    return _object("list", data={"type": "array", "items": shape}, **fields)


def _page_of(shape: Shape) -> Shape:
    ends = {"first_id": _or_null(WORD), "last_id": _or_null(WORD)}
    return _list_of(shape, has_more={"type": "boolean"}, **ends)


def _deleted(kind: str) -> Shape:
    return _object(kind, id=WORD, deleted={"const": True})


_MADE = {"id": WORD, "created_at": COUNT}
FILE = _object("file", **_MADE, bytes=COUNT, filename=WORD, purpose=WORD, status=WORD)
UPLOAD = _object(
    "upload",
    **_MADE,
    bytes=COUNT,
    filename=WORD,
    purpose=WORD,
    expires_at=COUNT,
    status={"enum": ["pending", "completed", "cancelled", "expired"]},
    file=_or_null(FILE),
)
PART = _object("upload.part", **_MADE, upload_id=WORD)
JOB = _object(
    "fine_tuning.job",
    **_MADE,
    model=WORD,
    status={
        "enum": [
            "validating_files",
            "queued",
            "running",
            "paused",
            "succeeded",
            "failed",
            "cancelled",
        ]
    },
    training_file=WORD,
    validation_file=_or_null(WORD),
    fine_tuned_model=_or_null(WORD),
    finished_at=_or_null(COUNT),
    trained_tokens=_or_null(COUNT),
    organization_id=WORD,
    seed=COUNT,
    method=SOMETHING,
    hyperparameters=SOMETHING,
    result_files={"type": "array", "items": WORD},
    error=_or_null(SOMETHING),
    metadata=_or_null(SOMETHING),
)
EVENT = _object(
    "fine_tuning.job.event", **_MADE, level=WORD, message=WORD, type=WORD, data=SOMETHING
)
CHECKPOINT = _object(
    "fine_tuning.job.checkpoint",
    **_MADE,
    fine_tuned_model_checkpoint=WORD,
    fine_tuning_job_id=WORD,
    step_number=COUNT,
    metrics=SOMETHING,
)
MODEL = _object("model", id=WORD, created=COUNT, owned_by=WORD)
PERMISSION = _object("checkpoint.permission", **_MADE, project_id=WORD)
USAGE = _object(None, prompt_tokens=COUNT, total_tokens=COUNT)
_ANSWERED = {
    "id": WORD,
    "created": COUNT,
    "model": WORD,
    "choices": {"type": "array"},
    "usage": USAGE,
}
CHAT = _object("chat.completion", **_ANSWERED)
COMPLETION = _object("text_completion", **_ANSWERED)
MESSAGE = _object(None, id=WORD, role=WORD)
EMBEDDINGS = _list_of(_object("embedding", index=COUNT, embedding={}), model=WORD, usage=USAGE)
RESPONSE = _object(
    "response", **_MADE, status=WORD, model=WORD, output={"type": "array", "items": SOMETHING}
)
BATCH = _object(
    "batch",
    **_MADE,
    endpoint=WORD,
    status=WORD,
    input_file_id=WORD,
    completion_window=WORD,
    request_counts=_object(None, total=COUNT, completed=COUNT, failed=COUNT),
)
GRADED = _object(
    None,
    reward={"type": "number"},
    metadata=SOMETHING,
    sub_rewards=SOMETHING,
    model_grader_token_usage_per_model=SOMETHING,
)

_JOB, _CHECKPOINT = "/v1/fine_tuning/jobs", "/v1/fine_tuning/checkpoints/{checkpoint}/permissions"
_GRADER = "/v1/fine_tuning/alpha/graders"
SHAPES: dict[str, Shape] = {
    "GET /health": _object(None, status={"const": "ok"}),
    "POST /v1/files": FILE,
    "GET /v1/files": _page_of(FILE),
    "GET /v1/files/{file_id}": FILE,
    "DELETE /v1/files/{file_id}": _deleted("file"),
    "POST /v1/uploads": UPLOAD,
    "POST /v1/uploads/{upload_id}/parts": PART,
    "POST /v1/uploads/{upload_id}/complete": UPLOAD,
    "POST /v1/uploads/{upload_id}/cancel": UPLOAD,
    f"POST {_JOB}": JOB,
    f"GET {_JOB}": _list_of(JOB, has_more={"type": "boolean"}),
    f"GET {_JOB}/{{job_id}}": JOB,
    f"POST {_JOB}/{{job_id}}/cancel": JOB,
    f"POST {_JOB}/{{job_id}}/pause": JOB,
    f"POST {_JOB}/{{job_id}}/resume": JOB,
    f"GET {_JOB}/{{job_id}}/events": _list_of(EVENT, has_more={"type": "boolean"}),
    f"GET {_JOB}/{{job_id}}/checkpoints": _page_of(CHECKPOINT),
    "GET /v1/models": _list_of(MODEL),
    "GET /v1/models/{model}": MODEL,
    "DELETE /v1/models/{model}": _deleted("model"),
    f"POST {_CHECKPOINT}": _page_of(PERMISSION),
    f"GET {_CHECKPOINT}": _page_of(PERMISSION),
    f"DELETE {_CHECKPOINT}/{{permission_id}}": _deleted("checkpoint.permission"),
    "POST /v1/chat/completions": CHAT,
    "GET /v1/chat/completions": _page_of(CHAT),
    "GET /v1/chat/completions/{completion_id}": CHAT,
    "POST /v1/chat/completions/{completion_id}": CHAT,
    "DELETE /v1/chat/completions/{completion_id}": _deleted("chat.completion.deleted"),
    "GET /v1/chat/completions/{completion_id}/messages": _page_of(MESSAGE),
    "POST /v1/completions": COMPLETION,
    "POST /v1/embeddings": EMBEDDINGS,
    "POST /v1/responses": RESPONSE,
    "POST /v1/responses/input_tokens": _object("response.input_tokens", input_tokens=COUNT),
    "GET /v1/responses/{response_id}": RESPONSE,
    "DELETE /v1/responses/{response_id}": _deleted("response"),
    "POST /v1/responses/{response_id}/cancel": RESPONSE,
    "GET /v1/responses/{response_id}/input_items": _page_of(_object(None, id=WORD, type=WORD)),
    f"POST {_GRADER}/validate": _object(None, grader=SOMETHING),
    f"POST {_GRADER}/run": GRADED,
    "POST /v1/batches": BATCH,
    "GET /v1/batches": _page_of(BATCH),
    "GET /v1/batches/{batch_id}": BATCH,
    "POST /v1/batches/{batch_id}/cancel": BATCH,
}
"""Method and path → the JSON of its answer; of a route that is not here it is anything."""
STREAMED = ("POST /v1/chat/completions", "POST /v1/completions", "POST /v1/responses")
"""What may answer in events, where `stream` asks for it."""
BYTES = ("GET /v1/files/{file_id}/content",)
"""What answers with the bytes of a file."""
