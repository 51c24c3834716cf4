"""Takes the few schemas that the tests need out of OpenAI's published specification.

    python tests/conformance/make_schemas.py path/to/openapi.yaml

The specification (MIT licence) is https://github.com/openai/openai-openapi; schemas.json says which
version it was.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import yaml

WANTED = (
    "OpenAIFile",
    "ListFilesResponse",
    "DeleteFileResponse",
    "Upload",
    "UploadPart",
    "FineTuningJob",
    "ListPaginatedFineTuningJobsResponse",
    "ListFineTuningJobEventsResponse",
    "ListFineTuningJobCheckpointsResponse",
    "ListFineTuningCheckpointPermissionResponse",
    "DeleteFineTuningCheckpointPermissionResponse",
    "Model",
    "ListModelsResponse",
    "DeleteModelResponse",
    "ErrorResponse",
    "CreateChatCompletionResponse",
    "CreateChatCompletionStreamResponse",
    "ChatCompletionList",
    "ChatCompletionDeleted",
    "CreateCompletionResponse",
    "CreateEmbeddingResponse",
    "ChatCompletionMessageList",
    "Response",
    "ResponseItemList",
    "ResponseStreamEvent",
    "TokenCountsResource",
    "Batch",
    "ListBatchesResponse",
    "RunGraderResponse",
    "ValidateGraderResponse",
)
KEPT = Path(__file__).with_name("schemas.json")
REF = "#/components/schemas/"
PROSE = ("description", "title", "example", "examples", "deprecated", "discriminator")


def plain(value: Any) -> Any:
    """A schema without prose, and with null where the specification says nullable."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    kept = {
        key: {name: plain(each) for name, each in inner.items()}
        if key == "properties"
        else plain(inner)
        for key, inner in value.items()
        if key not in PROSE and not key.startswith("x-") and key != "nullable"
    }
    if kept.get("exclusiveMinimum") is True:  # as older specifications write it
        kept["exclusiveMinimum"] = kept.pop("minimum")
    if value.get("nullable") or any(
        isinstance(each, dict) and each.get("nullable") for each in value.get("allOf", ())
    ):
        return {"anyOf": [kept, {"type": "null"}]}
    return kept


def names_in(value: Any) -> set[str]:
    """Schemas that a schema refers to."""
    if isinstance(value, list):
        return set().union(*map(names_in, value)) if value else set()
    if not isinstance(value, dict):
        return set()
    own = value.get("$ref")
    found = {own.removeprefix(REF)} if isinstance(own, str) else set()
    return found.union(*map(names_in, value.values())) if value else found


def main(path: Path) -> None:
    """Write schemas.json."""
    spec = yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    known, left, kept = spec["components"]["schemas"], set(WANTED), {}
    while left:
        name = left.pop()
        kept[name] = plain(known[name])
        left |= names_in(kept[name]) - set(kept)
    source = json.dumps(f"OpenAI API specification {spec['info']['version']}, MIT licence")
    lines = ",\n".join(f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in sorted(kept))
    whole = f'{{"source": {source}, "components": {{"schemas": {{\n{lines}\n}}}}}}\n'
    KEPT.write_text(whole, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
