"""Ids as the hosted service writes them."""

from __future__ import annotations

import secrets
import string

_LETTERS = string.ascii_letters + string.digits
PREFIXES = {
    "file": "file-",
    "upload": "upload_",
    "part": "part_",
    "job": "ftjob-",
    "event": "ftevent-",
    "checkpoint": "ftckpt_",
    "permission": "cp_",
    "key": "key_",
    "batch": "batch_",
    "batch_request": "batch_req_",
    "chat": "chatcmpl-",
    "completion": "cmpl-",
    "response": "resp_",
    "message": "msg_",
    "function_call": "fc_",
    "function_output": "fco_",
    "call": "call_",
    "request": "req_",
}


def new_id(kind: str) -> str:
    """A new id, such as `ftjob-` with 24 letters and digits behind it."""
    return PREFIXES[kind] + random_letters(24)


def random_letters(count: int) -> str:
    """Letters and digits that nobody can guess."""
    return "".join(secrets.choice(_LETTERS) for _ in range(count))
