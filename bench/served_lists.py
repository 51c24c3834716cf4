"""Lists of jobs from a server that keeps many: how long an answer takes, and what it takes in memory.

10,000 jobs are stored; eight clients page through them, 20 and 100 jobs a page, filtered by metadata,
and ask for single jobs and events, 8,000 requests in all, through the official client's transport
(httpx), over loopback, on the cores that the command may use. TUNEWRIGHT_DATABASE chooses a database.
"""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from sqlalchemy import insert

from bench.beside import RESULTS, machine
from bench.serving import MIB, server
from tunewright.cli.serve import settings_of
from tunewright.serve.identifiers import new_id
from tunewright.serve.store import Store, open_store
from tunewright.serve.tables import events, jobs

JOBS, CLIENTS, ROUNDS = 10_000, 8, 250
LISTED = "/fine_tuning/jobs"


def main() -> None:
    """Measure, keep it in results/served_lists.json, print the table."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "served"
        store = open_store(settings_of(folder=folder))
        known = fill(store)
        store.close()
        with server(folder) as (process, url):
            found = asyncio.run(many(url, process, known))
    facts = {"jobs": JOBS, "clients": CLIENTS, **found, "machine": machine()}
    (RESULTS / "served_lists.json").write_text(json.dumps(facts, indent=1) + "\n")
    show(facts)


def fill(store: Store) -> list[str]:
    """Keep jobs as if they had been trained, each with ten events; their ids."""
    known = [new_id("job") for _ in range(JOBS)]
    with store.writing() as connection:
        connection.execute(insert(jobs), [job(name, at) for at, name in enumerate(known)])
        told = [event(name, at) for name in known for at in range(10)]
        connection.execute(insert(events), told)
    return known


def job(name: str, at: int) -> dict[str, Any]:
    """A row of the table of jobs."""
    return {
        "id": name,
        "created_at": 1_700_000_000 + at,
        "model": "smollm2",
        "base": "smollm2",
        "organization": "local",
        "training_file": "file-abc",
        "method": {"type": "supervised", "supervised": {"hyperparameters": {"n_epochs": 3}}},
        "seed": at,
        "metadata": {"team": f"team-{at % 50}"},
        "extension": {},
        "status": "succeeded",
        "result_files": [],
    }


def event(name: str, at: int) -> dict[str, Any]:
    """A row of the table of events."""
    return {
        "id": new_id("event"),
        "created_at": 1_700_000_000 + at,
        "job": name,
        "level": "info",
        "message": f"Step {at}/10: training loss=1.00",
        "type": "metrics",
        "data": {"step": at, "train_loss": 1.0},
        "once": f"step-{at}",
    }


async def many(url: str, process: psutil.Process, known: list[str]) -> dict[str, Any]:
    """Clients that each go through the list, and ask for what they find."""
    took: dict[str, list[float]] = {}
    failed: list[int] = []
    limits = httpx.Limits(max_connections=CLIENTS)
    async with httpx.AsyncClient(base_url=url, timeout=60, limits=limits) as client:

        async def ask(kind: str, path: str, **words: Any) -> Any:
            began = time.perf_counter()
            answer = await client.get(path, params=words)
            took.setdefault(kind, []).append(time.perf_counter() - began)
            if answer.status_code != httpx.codes.OK:
                failed.append(answer.status_code)
            return answer.json()

        async def page_through(number: int) -> None:
            after: dict[str, str] = {}
            for at in range(ROUNDS):
                page = await ask("20 jobs", LISTED, limit=20, **after)
                after = {"after": page["data"][-1]["id"]} if page["has_more"] else {}
                await ask("100 jobs", LISTED, limit=100, after=known[-1 - (number * 97 + at)])
                await ask("20 of a team", LISTED, **{"metadata[team]": f"team-{at % 50}"})
                await ask("events", f"{LISTED}/{known[at * 31 % JOBS]}/events", limit=20)

        await page_through(0)  # what is made once is made
        took.clear()
        before = process.memory_info().rss
        began = time.perf_counter()
        await asyncio.gather(*(page_through(number) for number in range(CLIENTS)))
        seconds = time.perf_counter() - began
        after = process.memory_info().rss
    return {
        "requests": sum(len(each) for each in took.values()),
        "failed": failed,
        "requests_per_s": sum(len(each) for each in took.values()) / seconds,
        "ms": {kind: quantiles_ms(each) for kind, each in took.items()},
        "mib_before": before / MIB,
        "mib_after": after / MIB,
    }


def quantiles_ms(seconds: list[float]) -> dict[str, float]:
    """Median and 99 % of what was seen, in milliseconds."""
    return {f"p{q}": float(np.percentile(seconds, q)) * 1000 for q in (50, 99)}


def show(facts: dict[str, Any]) -> None:
    """The table."""
    print(f"| {facts['jobs']:,} jobs, {facts['clients']} clients | median ms | 99 % ms |")
    print("|---|---|---|")
    for kind, found in facts["ms"].items():
        print(f"| {kind} | {found['p50']:.1f} | {found['p99']:.1f} |")
    print(
        f"{facts['requests']:,} requests, {len(facts['failed'])} failed, "
        f"{facts['requests_per_s']:.0f} a second; "
        f"{facts['mib_before']:.0f} MiB before, {facts['mib_after']:.0f} after"
    )


if __name__ == "__main__":
    main()
