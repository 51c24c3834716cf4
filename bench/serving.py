"""Many clients that stream from one model, beside `generate` called for one text after another.

SmolLM2-135M in fp32, BENCH_THREADS threads (1) for both, greedy, answers of up to 64 tokens.
BENCH_CLIENTS clients (64) ask, each again as soon as it has its answer, for BENCH_SECONDS (60).
Beside other busy processes a second is less than one: tokens of a second of the processor are told
as well, those of the clients not counted. BENCH_ALONE texts (8) are written one after the other.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from bench.beside import RESULTS, machine
from tunewright.pretrained.catalog import resolve_model

CLIENTS = int(os.environ.get("BENCH_CLIENTS", "64"))
SECONDS = float(os.environ.get("BENCH_SECONDS", "60"))
THREADS = os.environ.get("BENCH_THREADS", "1")
ALONE = int(os.environ.get("BENCH_ALONE", "8"))
MODEL, MOST_TOKENS = "smollm2", 64
QUESTIONS = (
    "What is a capital city?",
    "Name three fruits, and say what each of them tastes like.",
    "My parcel was to come on Monday and it is Friday now. What should I write to the shop? " * 2,
    "Explain to a child how rain is made.",
    "List the months of the year.",
)
MIB = 1 << 20


def main() -> None:
    """Measure, keep it in results/serving.json, print the table."""
    found = {"alone": alone()}
    with (
        tempfile.TemporaryDirectory() as scratch,
        server(Path(scratch) / "served") as (process, url),
    ):
        found["served"] = asyncio.run(many(url, process))
    both = found["alone"]["answers"].keys() & found["served"]["answers"].keys()
    pairs = [[found[each]["answers"][one] for each in ("alone", "served")] for one in both]
    found |= {"compared": len(pairs), "equal": sum(one == two for one, two in pairs)}
    for each in ("alone", "served"):
        found[each].pop("answers")
    found |= {"clients": CLIENTS, "threads": int(THREADS), "machine": machine()}
    (RESULTS / "serving.json").write_text(json.dumps(found, indent=1) + "\n")
    show(found)


def question(number: int) -> str:
    """One of many, of several lengths."""
    return f"{QUESTIONS[number % len(QUESTIONS)]} ({number})"


def alone() -> dict[str, Any]:
    """One text after another by `generate`."""
    os.environ["OMP_NUM_THREADS"] = THREADS
    from tunewright.backends.torch.writer import TorchWriter

    writer = TorchWriter(resolve_model(MODEL).path)
    answers, tokens, seconds, busy = {}, 0, 0.0, 0.0
    for number in range(ALONE):
        asked = question(number)
        prompt = writer.prompt([{"role": "user", "content": asked}])
        began, cpu = time.perf_counter(), time.process_time()
        ((_, answer, ended),) = writer.write([prompt], most_tokens=MOST_TOKENS)
        seconds += time.perf_counter() - began
        busy += time.process_time() - cpu
        answers[asked] = answer
        tokens += len(writer.tokenizer(answer, add_special_tokens=False)["input_ids"]) + ended
    return {
        "tokens_per_s": tokens / seconds,
        "tokens_per_cpu_s": tokens / busy,
        "answers": answers,
    }


@contextmanager
def server(folder: Path) -> Iterator[tuple[psutil.Process, str]]:
    """A server in a process of its own; yields it, and its URL."""
    words = ["-m", "tunewright.cli.main", "serve", "--no-worker", "--port", "0", "--json"]
    words += ["--folder", str(folder), "--requests-per-minute", "1000000"]
    started = subprocess.Popen(
        [sys.executable, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert started.stdout is not None
        yield psutil.Process(started.pid), str(json.loads(started.stdout.readline())["url"])
    finally:
        started.terminate()
        started.wait(30)


async def many(url: str, process: psutil.Process) -> dict[str, Any]:
    """Clients that ask for the stated time; one asks before, and opens the model."""
    from openai import AsyncOpenAI

    async with AsyncOpenAI(base_url=url, api_key="none", max_retries=0, timeout=600) as client:
        told = Told()
        await ask(client, ALONE, told)
        before = process.memory_info().rss
        told = Told()
        began, cpu = time.perf_counter(), busy_s(process)
        until = began + SECONDS
        await asyncio.gather(
            *(clients(client, number, until, told) for number in range(CLIENTS)),
            watch(process, until, told),
            health(url, until, told),
        )
        seconds, busy = time.perf_counter() - began, busy_s(process) - cpu
        await asyncio.sleep(2)
    return {
        "tokens_per_s": told.tokens / seconds,
        "tokens_per_cpu_s": told.tokens / busy,
        "seconds": seconds,
        "answers": told.answers,
        "texts": len(told.first_s),
        "errors": told.errors,
        "first_token_s": quantiles(told.first_s),
        "between_tokens_s": quantiles(told.between_s),
        "health_s": quantiles(told.health_s),
        "mib_before": before / MIB,
        "mib_most": told.most / MIB,
        "mib_after": process.memory_info().rss / MIB,
    }


def busy_s(process: psutil.Process) -> float:
    """Seconds of the processor that a process took."""
    times = process.cpu_times()
    return float(times.user + times.system)


class Told:
    """What the clients saw."""

    def __init__(self) -> None:
        self.answers: dict[str, str] = {}
        self.tokens = self.errors = self.most = 0
        self.first_s: list[float] = []
        self.between_s: list[float] = []
        self.health_s: list[float] = []


async def clients(client: Any, number: int, until: float, told: Told) -> None:
    """One after another."""
    while time.perf_counter() < until:
        try:
            await ask(client, number, told)
        except Exception as error:  # noqa: BLE001 - it is counted
            told.errors += 1
            print(f"error: {error}", flush=True)
        number += CLIENTS


async def ask(client: Any, number: int, told: Told) -> None:
    """One answer, as it comes."""
    asked = question(number)
    began = last = time.perf_counter()
    text, first = "", None
    stream = await client.chat.completions.create(
        model=MODEL,
        messages=[{"role": "user", "content": asked}],
        temperature=0,
        max_tokens=MOST_TOKENS,
        stream=True,
        stream_options={"include_usage": True},
    )
    async for chunk in stream:
        now = time.perf_counter()
        if chunk.choices and chunk.choices[0].delta.content:
            text += chunk.choices[0].delta.content
            if first is None:
                first = now - began
                told.first_s.append(first)
            else:
                told.between_s.append(now - last)
            last = now
        if chunk.usage:
            told.tokens += chunk.usage.completion_tokens
    told.answers[asked] = text


async def watch(process: psutil.Process, until: float, told: Told) -> None:
    """The most memory."""
    while time.perf_counter() < until:
        told.most = max(told.most, process.memory_info().rss)
        await asyncio.sleep(0.2)


async def health(url: str, until: float, told: Told) -> None:
    """How soon another request is answered."""
    import httpx

    async with httpx.AsyncClient(timeout=60) as client:
        while time.perf_counter() < until:
            began = time.perf_counter()
            await client.get(url.removesuffix("/v1") + "/health")
            told.health_s.append(time.perf_counter() - began)
            await asyncio.sleep(0.5)


def quantiles(values: list[float]) -> dict[str, float]:
    """Half are below the first, and 95 of 100 below the second."""
    return {"p50": float(np.quantile(values, 0.5)), "p95": float(np.quantile(values, 0.95))}


def show(found: dict[str, Any]) -> None:
    """The table."""
    one, all_ = found["alone"], found["served"]
    for name, each in (("generate, one by one", one), (f"{found['clients']} streaming", all_)):
        print(
            f"{name:<22}{each['tokens_per_s']:8.1f} tokens/s"
            f"{each['tokens_per_cpu_s']:8.1f} tokens per second of the processor"
        )
    ratio = all_["tokens_per_cpu_s"] / one["tokens_per_cpu_s"]
    print(
        f"  {ratio:.1f} times as many; {all_['texts']} texts, {all_['errors']} errors, "
        f"{found['equal']} of {found['compared']} texts the same"
    )
    for name in ("first_token_s", "between_tokens_s", "health_s"):
        print(
            f"  {name:<17} half within {all_[name]['p50']:.2f}, 95 % within {all_[name]['p95']:.2f}"
        )
    print(
        f"  memory            {all_['mib_before']:.0f} MiB before, {all_['mib_most']:.0f} at most, "
        f"{all_['mib_after']:.0f} after"
    )


if __name__ == "__main__":
    main()
