"""The whole story of a hosted service, with the package openai alone, on a server of our own.

Uploads conversations of ../shared/data/alpaca_en_demo, trains SmolLM2-135M on them by two jobs, follows
the events of the first, lists its checkpoints, and talks to its model while the second trains. Says how
long each part took; what goes wrong stops it.

python -m bench.served_story [--rows=60]
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from openai import OpenAI

from bench.quality import DATA, ROOT

VALIDATION = 10
LIMIT_S = 3600


def main() -> None:
    """Start the server, live through the story, stop it."""
    if not DATA.is_dir():
        print(f"skipped: the data sets are not at {DATA.relative_to(ROOT.parent)}")
        return
    numbers = dict(word.removeprefix("--").split("=") for word in sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder, (Path(folder) / "log").open("w+") as log:
        command = [sys.executable, "-m", "tunewright.cli.main", "serve", "--port", "0", "--json"]
        server = subprocess.Popen(
            [*command, "--models", "smollm2"],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert server.stdout is not None
            address = re.findall(r"http://[\d.]+:\d+", server.stdout.readline())[0]
            story(OpenAI(base_url=f"{address}/v1", api_key="none"), int(numbers.get("rows", 60)))
        finally:
            server.terminate()
            server.wait(timeout=180)


def story(client: OpenAI, rows: int) -> None:
    """Upload, train twice, follow, list, talk."""
    lines = (DATA / "alpaca_en_demo" / "train.jsonl").read_text("utf-8").splitlines()
    chats = [as_chat(json.loads(line)) for line in lines]
    files = [
        client.files.create(file=(name, as_lines(some)), purpose="fine-tune").id
        for name, some in (
            ("train.jsonl", chats[:rows]),
            ("validation.jsonl", chats[rows : rows + VALIDATION]),
        )
    ]
    asked: dict[str, Any] = {"model": "smollm2", "hyperparameters": {"n_epochs": 2}, "seed": 1}
    first, second = (
        client.fine_tuning.jobs.create(
            training_file=files[0], validation_file=files[1], suffix=suffix, **asked
        )
        for suffix in ("first", "second")
    )
    started = time.monotonic()
    done = follow(client, first.id)
    print(
        f"first job: {done.status} after {time.monotonic() - started:.0f} s, {done.trained_tokens} tokens"
    )
    for each in client.fine_tuning.jobs.checkpoints.list(first.id):
        print(f"  checkpoint {each.fine_tuned_model_checkpoint}: {each.metrics.full_valid_loss}")
    while client.fine_tuning.jobs.retrieve(second.id).status in ("validating_files", "queued"):
        time.sleep(0.5)
    for model in ("smollm2", done.fine_tuned_model):
        began = time.monotonic()
        answer = client.chat.completions.create(
            model=model, messages=chats[rows + VALIDATION]["messages"][:-1], max_tokens=60, seed=1
        )
        during = client.fine_tuning.jobs.retrieve(second.id).status
        took = time.monotonic() - began
        print(f"{model}, while the second job is {during}, in {took:.1f} s:")
        print("  " + str(answer.choices[0].message.content)[:200].replace("\n", " "))
        assert during == "running"
    done = follow(client, second.id)
    print(f"second job: {done.status}; all of the story in {time.monotonic() - started:.0f} s")


def follow(client: OpenAI, job: str) -> Any:
    """Print each event once, until the job has ended well."""
    seen: set[str] = set()
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        found = client.fine_tuning.jobs.retrieve(job)
        for event in reversed(list(client.fine_tuning.jobs.list_events(job))):
            if event.id not in seen:
                seen.add(event.id)
                print(f"  {event.message}", flush=True)
        if found.status in ("succeeded", "failed", "cancelled"):
            assert found.status == "succeeded", found.error
            return found
        time.sleep(1)
    raise TimeoutError(f"{job} did not end within {LIMIT_S} s")


def as_chat(row: dict[str, str]) -> dict[str, Any]:
    """An instruction and its output as a conversation."""
    question = "\n\n".join(each for each in (row["instruction"], row["input"]) if each)
    turns = (("user", question), ("assistant", row["output"]))
    return {"messages": [{"role": role, "content": content} for role, content in turns]}


def as_lines(rows: list[dict[str, Any]]) -> bytes:
    """As JSONL."""
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


if __name__ == "__main__":
    main()
