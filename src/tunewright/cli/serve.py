"""`tunewright serve`"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from cyclopts import Parameter

Several = Annotated[tuple[str, ...], Parameter(consume_multiple=True)]


def serve_command(
    *,
    host: str = "127.0.0.1",
    port: int = 8000,
    folder: Path = Path("served"),
    database: str | None = None,
    models: Several = (),
    hosts: Several = (),
    origins: Several = (),
    organization: str = "local",
    max_file_mib: int = 512,
    max_upload_mib: int = 8192,
    requests_per_minute: int = 1000,
    model_memory_mib: int | None = None,
    cache_memory_mib: int | None = None,
    texts_at_once: int = 64,
    worker: bool = True,
    python_graders: bool = True,
    json: bool = False,
) -> int:
    """The OpenAI fine-tuning API on this machine: point an `openai` client's base_url here.

    Parameters
    ----------
    host
        Address to listen on. Beyond this machine (not 127.0.0.1) a key is asked for.
    port
        0 takes a free one.
    folder
        Uploaded files and the SQLite database.
    database
        SQLAlchemy URL of another database; better in the environment, as TUNEWRIGHT_DATABASE.
    models
        Bases that may be trained and used: catalog names, folders, or name=folder. None: all of the
        catalog.
    hosts
        Names under which the server is reached, besides its address (behind a proxy, for example).
    origins
        Web pages of other hosts that may call it, such as https://app.example.
    organization
        Third part of a tuned model's name: ft:base:ORGANIZATION:suffix:id.
    max_file_mib
        Largest file that is taken in one request.
    max_upload_mib
        Largest file that is taken in parts.
    requests_per_minute
        Of one address.
    model_memory_mib
        What the models that answer may take; without it half of what is free at the start.
    cache_memory_mib
        What one model's unfinished texts may take; without it a quarter of that.
    texts_at_once
        That one model writes; others wait.
    worker
        Train too; --no-worker where `tunewright worker` does, on this machine or others.
    python_graders
        Run the source of Python graders, shut in; --no-python-graders refuses them.
    json
        Print the address as one JSON document.
    """
    import sys

    from tunewright.cli.main import say_json
    from tunewright.serve.logs import write_logs
    from tunewright.serve.running import serve

    def ready(facts: dict[str, Any]) -> None:
        if json:
            say_json(facts)
            sys.stdout.flush()
        else:
            sys.stderr.write(f"serving {facts['url']}\n")

    write_logs()
    settings = settings_of(
        host=host,
        port=port,
        folder=folder,
        database=database,
        models=models,
        hosts=hosts,
        origins=origins,
        organization=organization,
        max_file_mib=max_file_mib,
        max_upload_mib=max_upload_mib,
        requests_per_minute=requests_per_minute,
        model_memory_mib=model_memory_mib,
        cache_memory_mib=cache_memory_mib,
        texts_at_once=texts_at_once,
        python_graders=python_graders,
    )
    serve(settings, worker=worker, ready=ready)
    return 0


def settings_of(**given: Any) -> Any:
    """The settings of a server; the database of the environment where none is given.

    Raises:
        RecipeError: a value is out of range.
    """
    import os

    from pydantic import ValidationError

    from tunewright.errors import RecipeError
    from tunewright.serve.settings import ServeSettings

    if given.get("database") is None:
        given["database"] = os.environ.get("TUNEWRIGHT_DATABASE")
    try:
        return ServeSettings(**given)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0]).replace("_", "-")
        told = first["msg"].removeprefix("Value error, ")
        raise RecipeError(f"--{name}: {told}", fix="see tunewright serve --help") from None
