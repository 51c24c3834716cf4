"""What OpenAI's published specification says of each answer, and what an answer has beyond it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

SPEC: dict[str, Any] = json.loads(Path(__file__).with_name("schemas.json").read_text("utf-8"))
SCHEMAS: dict[str, Any] = SPEC["components"]["schemas"]
REF = "#/components/schemas/"
JOB = r"/fine_tuning/jobs/[^/]+"
GRADERS = "/fine_tuning/alpha/graders"
UNSAID = "unsaid"
"""In place of a schema, where the specification does not say what the body is."""
PATHS = (
    ("POST", r"/files", "OpenAIFile"),
    ("GET", r"/files", "ListFilesResponse"),
    ("GET", r"/files/[^/]+", "OpenAIFile"),
    ("DELETE", r"/files/[^/]+", "DeleteFileResponse"),
    ("GET", r"/files/[^/]+/content", UNSAID),
    ("POST", r"/uploads/[^/]+/parts", "UploadPart"),
    ("POST", r"/uploads(/[^/]+/(complete|cancel))?", "Upload"),
    ("POST", rf"/fine_tuning/jobs|{JOB}/(cancel|pause|resume)", "FineTuningJob"),
    ("GET", r"/fine_tuning/jobs", "ListPaginatedFineTuningJobsResponse"),
    ("GET", rf"{JOB}/events", "ListFineTuningJobEventsResponse"),
    ("GET", rf"{JOB}/checkpoints", "ListFineTuningJobCheckpointsResponse"),
    ("GET", JOB, "FineTuningJob"),
    ("POST", f"{GRADERS}/run", "RunGraderResponse"),
    ("POST", f"{GRADERS}/validate", "ValidateGraderResponse"),
    ("DELETE", r".*/permissions/[^/]+", "DeleteFineTuningCheckpointPermissionResponse"),
    (r"GET|POST", r".*/permissions", "ListFineTuningCheckpointPermissionResponse"),
    ("GET", r"/models", "ListModelsResponse"),
    ("GET", r"/models/.+", "Model"),
    ("DELETE", r"/models/.+", "DeleteModelResponse"),
    ("POST", r"/chat/completions(/[^/]+)?", "CreateChatCompletionResponse"),
    ("GET", r"/chat/completions", "ChatCompletionList"),
    ("GET", r"/chat/completions/[^/]+/messages", "ChatCompletionMessageList"),
    ("GET", r"/chat/completions/[^/]+", "CreateChatCompletionResponse"),
    ("DELETE", r"/chat/completions/[^/]+", "ChatCompletionDeleted"),
    ("POST", r"/completions", "CreateCompletionResponse"),
    ("POST", r"/embeddings", "CreateEmbeddingResponse"),
    ("POST", r"/responses/input_tokens", "TokenCountsResource"),
    ("GET", r"/responses/[^/]+/input_items", "ResponseItemList"),
    ("POST", r"/responses", "Response"),
    ("GET", r"/responses/[^/]+", "Response"),
    ("DELETE", r"/responses/[^/]+", UNSAID),
    ("POST", r"/batches(/[^/]+/cancel)?", "Batch"),
    ("GET", r"/batches", "ListBatchesResponse"),
    ("GET", r"/batches/[^/]+", "Batch"),
)
STREAMS = {
    "/chat/completions": "CreateChatCompletionStreamResponse",
    "/completions": "CompletionChunk",
    "/responses": "ResponseStreamEvent",
}
AS_HOSTED = {
    "user_provided_suffix",
    *("first_id", "last_id", "has_more"),
    *("store", "response_format", "seed", "temperature", "tool_choice", "tools", "top_p"),
}
"""Fields that the specification leaves out, and its examples or the hosted service have: of jobs, of
lists, of responses and stored completions."""

# The one declared extension: the published examples have it, the published list has not.
SCHEMAS["FineTuningJob"]["properties"]["status"]["enum"].append("paused")
# The published schema forgets that a request may ask for base64.
VECTOR = SCHEMAS["Embedding"]["properties"]
VECTOR["embedding"] = {"anyOf": [VECTOR["embedding"], {"type": "string"}]}
# Until the last part of a stream nothing has finished: the published example has null.
CHUNK = json.loads(json.dumps(SCHEMAS["CreateCompletionResponse"]))
FINISH = CHUNK["properties"]["choices"]["items"]["properties"]
FINISH["finish_reason"] = {"anyOf": [FINISH["finish_reason"], {"type": "null"}]}
SCHEMAS["CompletionChunk"] = CHUNK
# The published schema has one grader in a multi grader, where the guide has several by their names.
SEVERAL = SCHEMAS["GraderMulti"]["properties"]
SEVERAL["graders"] = {"type": "object", "additionalProperties": SEVERAL["graders"]}
# Messages of a stored completion are those of its request; the published example has a user's.
SAID = json.loads(json.dumps(SCHEMAS["ChatCompletionResponseMessage"]))
SAID["properties"]["role"]["enum"] += ["system", "developer", "user", "tool"]
STORED = SCHEMAS["ChatCompletionMessageList"]["properties"]["data"]["items"]
STORED["allOf"] = [SAID, *STORED["allOf"][1:]]


def schema_of(method: str, path: str) -> str | None:
    """The name of the schema of what a path answers; None where the API has no such path."""
    for methods, pattern, name in PATHS:
        if re.fullmatch(methods, method) and re.fullmatch(pattern, path):
            return name
    return None


@cache
def _validator(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": REF + name, **SPEC})


def conforms(value: Any, name: str) -> None:
    """Raise ValidationError where a value is not as its schema says."""
    _validator(name).validate(value)


def beyond(value: Any, *schemas: Any, at: str = "") -> Iterator[str]:
    """Fields that none of these schemas knows, by their place: `data[].colour`."""
    known = [each for schema in schemas for each in _parts(schema)]
    if isinstance(value, list):
        inner = [each["items"] for each in known if "items" in each]
        for each in value:
            yield from beyond(each, *inner, at=f"{at}[]")
    if not isinstance(value, dict):
        return
    objects = [each["properties"] for each in known if "properties" in each]
    if not objects or any(each.get("additionalProperties") for each in known):
        return  # it may hold anything
    for key, each in value.items():
        inner = [some[key] for some in objects if key in some]
        place = f"{at}.{key}".removeprefix(".")
        if not inner:
            yield place
        else:
            yield from beyond(each, *inner, at=place)


def _parts(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema, and those that it consists of or chooses among."""
    if "$ref" in schema:
        yield from _parts(SCHEMAS[schema["$ref"].removeprefix(REF)])
        return
    yield schema
    for way in ("allOf", "anyOf", "oneOf"):
        for each in schema.get(way, ()):
            yield from _parts(each)
