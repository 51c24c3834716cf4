"""The server that the statements are about: one of our own, or any that is named.

    TUNEWRIGHT_CONFORMANCE_URL=https://…/v1 TUNEWRIGHT_CONFORMANCE_KEY=… \
    TUNEWRIGHT_CONFORMANCE_MODEL=… python -m pytest tests/conformance

Every good answer, of every test, is held against the published schema of its path.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import pytest
from openai import OpenAI

from served import settings_in
from tiny_chats import chats, write_chat_model
from tiny_models import write_model
from worked import trained, upload, wait_for

SPEC: dict[str, Any] = json.loads(Path(__file__).with_name("schemas.json").read_text("utf-8"))
JOB = r"/fine_tuning/jobs/[^/]+"
PATHS = (
    ("POST", r"/files", "OpenAIFile"),
    ("GET", r"/files", "ListFilesResponse"),
    ("GET", r"/files/[^/]+", "OpenAIFile"),
    ("DELETE", r"/files/[^/]+", "DeleteFileResponse"),
    ("POST", r"/uploads/[^/]+/parts", "UploadPart"),
    ("POST", r"/uploads(/[^/]+/(complete|cancel))?", "Upload"),
    ("POST", rf"/fine_tuning/jobs|{JOB}/(cancel|pause|resume)", "FineTuningJob"),
    ("GET", r"/fine_tuning/jobs", "ListPaginatedFineTuningJobsResponse"),
    ("GET", rf"{JOB}/events", "ListFineTuningJobEventsResponse"),
    ("GET", rf"{JOB}/checkpoints", "ListFineTuningJobCheckpointsResponse"),
    ("GET", JOB, "FineTuningJob"),
    ("DELETE", r".*/permissions/[^/]+", "DeleteFineTuningCheckpointPermissionResponse"),
    (r"GET|POST", r".*/permissions", "ListFineTuningCheckpointPermissionResponse"),
    ("GET", r"/models", "ListModelsResponse"),
    ("GET", r"/models/.+", "Model"),
    ("DELETE", r"/models/.+", "DeleteModelResponse"),
    ("POST", r"/chat/completions(/[^/]+)?", "CreateChatCompletionResponse"),
    ("GET", r"/chat/completions", "ChatCompletionList"),
    ("GET", r"/chat/completions/[^/]+", "CreateChatCompletionResponse"),
    ("DELETE", r"/chat/completions/[^/]+", "ChatCompletionDeleted"),
    ("POST", r"/completions", "CreateCompletionResponse"),
    ("POST", r"/embeddings", "CreateEmbeddingResponse"),
)
# The one declared extension: the published examples have it, the published list has not.
SPEC["components"]["schemas"]["FineTuningJob"]["properties"]["status"]["enum"].append("paused")
# The published schema forgets that a request may ask for base64.
VECTOR = SPEC["components"]["schemas"]["Embedding"]["properties"]
VECTOR["embedding"] = {"anyOf": [VECTOR["embedding"], {"type": "string"}]}


def schema_of(method: str, path: str) -> str | None:
    """The schema of what a path answers, where there is one here."""
    for methods, pattern, name in PATHS:
        if re.fullmatch(methods, method) and re.fullmatch(pattern, path):
            return name
    return None


def conforms(value: Any, name: str) -> None:
    """Raise where a value is not as its schema says."""
    jsonschema.validate(value, {"$ref": f"#/components/schemas/{name}", **SPEC})


@pytest.fixture(scope="session")
def check() -> Callable[[Any, str], None]:
    """Holds a part of an answer, such as an event, against the specification."""
    return conforms


def look_at(response: httpx.Response) -> None:
    """Hold an answer against the specification."""
    response.read()
    path = response.request.url.path.partition("/v1")[2]
    if "json" not in response.headers.get("content-type", ""):
        return
    assert response.headers["x-request-id"]
    if response.is_success:
        name = schema_of(response.request.method, path)
        if name is not None:
            conforms(response.json(), name)
    else:
        conforms(response.json(), "ErrorResponse")
        assert set(response.json()) == {"error"}


@pytest.fixture(scope="session")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenAI]:
    """A client of the named server, or of one of our own with a worker."""
    url = os.environ.get("TUNEWRIGHT_CONFORMANCE_URL")
    if url is not None:
        yield OpenAI(base_url=url, api_key=os.environ["TUNEWRIGHT_CONFORMANCE_KEY"])
        return
    folder = tmp_path_factory.mktemp("server")
    model = write_chat_model(tmp_path_factory.mktemp("models") / "tiny")
    encoder = write_model(tmp_path_factory.mktemp("models") / "encoder")
    bases = (f"tiny={model}", f"org/tiny={model}", f"encoder={encoder}", "minilm")
    settings = settings_in(folder, models=bases)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TUNEWRIGHT_RUNS", str(folder / "runs"))
        patch.setenv("TUNEWRIGHT_CACHE", str(folder / "cache"))
        with trained(settings) as client:
            yield client


@pytest.fixture(autouse=True)
def _isolated() -> None:
    """The server outlives a test: what surrounds it is not each test's own."""


@pytest.fixture(scope="session")
def client(bare: OpenAI) -> Iterator[OpenAI]:
    """The client, of which every answer is looked at."""
    with httpx.Client(event_hooks={"response": [look_at]}, timeout=120) as http:
        yield bare.with_options(http_client=http)


@pytest.fixture(scope="session")
def model() -> str:
    """A base that may be trained; with a `/` in its name where it is ours."""
    return os.environ.get("TUNEWRIGHT_CONFORMANCE_MODEL", "org/tiny")


@pytest.fixture(scope="session")
def own() -> bool:
    """Whether it is a server of Tunewright, which may be asked for its extensions."""
    return "TUNEWRIGHT_CONFORMANCE_URL" not in os.environ


@pytest.fixture(scope="session")
def small(own: bool) -> dict[str, Any]:
    """Of a job: what makes it take seconds."""
    settings = {"train.threads": 1, "train.precision": "fp32", "train.max_length": 128}
    return {"extra_body": {"tunewright": {"settings": settings}}} if own else {}


@pytest.fixture(scope="session")
def file(client: OpenAI) -> str:
    """Ten conversations."""
    return upload(client, chats(10))


@pytest.fixture(scope="session")
def done(client: OpenAI, model: str, small: dict[str, Any], file: str) -> Any:
    """A job with a validation file that succeeded: four epochs of two steps."""
    job = client.fine_tuning.jobs.create(
        model=model,
        training_file=file,
        validation_file=upload(client, chats(16)[10:]),
        suffix="conform",
        seed=11,
        metadata={"what": "conformance"},
        hyperparameters={"n_epochs": 4, "batch_size": 5},
        **small,
    )
    return wait_for(client, job.id, "succeeded", timeout_s=3600)
