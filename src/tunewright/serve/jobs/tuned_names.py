"""What tuned models are called: `ft:base:organization:suffix:id`, and `:ckpt-step-N` behind it."""

from __future__ import annotations

import re

from tunewright.serve.store import Row

_UNFIT = re.compile(r"[^A-Za-z0-9._-]+")


def tuned_name(job: Row) -> str:
    """The name of a job's model; without a suffix its place is empty.

    >>> tuned_name({"id": "ftjob-abcdefghijkl", "base": "tiny", "organization": "local", "suffix": "My bot"})
    'ft:tiny:local:My-bot:efghijkl'
    """
    suffix = _UNFIT.sub("-", job["suffix"] or "").strip("-")
    return f"ft:{job['base']}:{job['organization']}:{suffix}:{job['id'][-8:]}"


def name_of_step(job: Row, step: int) -> str:
    """The name of the model as it was at a step."""
    return f"{tuned_name(job)}:ckpt-step-{step}"
