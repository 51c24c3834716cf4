"""`tunewright import-openai`"""

from __future__ import annotations

import sys


def import_openai_command(
    source: str | None = None,
    *,
    out: str = "moved",
    model: str = "smollm2",
    base_url: str = "https://api.openai.com/v1",
    key: str = "OPENAI_API_KEY",
    json: bool = False,
) -> int:
    """Old fine-tuning jobs become recipes that train the like on an open model.

    Parameters
    ----------
    source
        A folder with exported jobs and files (JSON or JSONL); without it the service is asked.
    out
        A folder for the recipes and their data.
    model
        The open model to train.
    base_url
        Address of the service's API.
    key
        Name of the environment variable that holds the key.
    json
        Print one JSON document.
    """
    from tunewright.moving.import_openai import import_openai

    found = import_openai(source, out=out, model=model, base_url=base_url, key=key)
    if json:
        from tunewright.cli.main import say_json

        say_json(found)
        return 0
    from tunewright.cli.tables import wide_console

    say = wide_console()
    for each in found["recipes"]:
        lost = any(at.endswith("train.jsonl") for at in each["missing"].values())
        first = "its training file is missing, see below; then " if lost else ""
        told = f"{each['job']}: {first}tunewright run {each['recipe']}"
        say.print(told, markup=False, soft_wrap=True)
        for note in each["notes"]:
            say.print(f"  {note}", markup=False, soft_wrap=True)
    for job, why in found["left_out"].items():
        say.print(f"{job}: left out, {why}", markup=False, soft_wrap=True)
    missing = {file: at for each in found["recipes"] for file, at in each["missing"].items()}
    for file, at in missing.items():
        sys.stderr.write(f"warning: {file} is not to be had: put it at {at}\n")
    return 0
