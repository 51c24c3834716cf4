"""API keys: told once, kept as their hash, taken away at once."""

from __future__ import annotations

import hashlib
import hmac
import secrets
import time
from typing import Any

from sqlalchemy import select

from tunewright.errors import RunError
from tunewright.serve.identifiers import new_id
from tunewright.serve.store import Store
from tunewright.serve.tables import keys

PREFIX = "sk-tw-"
_HINT = 4


def create_key(store: Store, name: str) -> dict[str, Any]:
    """A new key; this is the only time that it is told.

    Returns:
        id, name, created_at and `key`.
    Raises:
        RunError: one that holds is called so.
    """
    if any(row["name"] == name and row["revoked_at"] is None for row in list_keys(store)):
        raise RunError(
            f"a key that holds is called '{name}'",
            fix=f"take another name, or first: tunewright keys revoke {name}",
        )
    key = PREFIX + secrets.token_urlsafe(32)
    row = store.add(keys, id=new_id("key"), name=name, digest=_digest(key), hint=key[-_HINT:])
    return {**{each: row[each] for each in ("id", "name", "created_at")}, "key": key}


def list_keys(store: Store) -> list[dict[str, Any]]:
    """Every key by its id, name and last letters, oldest first."""
    with store.reading() as connection:
        rows = connection.execute(select(keys).order_by(keys.c.number)).mappings()
        shown = ("id", "name", "hint", "created_at", "revoked_at")
        return [{each: row[each] for each in shown} for row in rows]


def revoke_key(store: Store, identifier: str) -> dict[str, Any]:
    """Take a key away, by its id or its name.

    Raises:
        RunError: none that still holds is called so.
    """
    for row in list_keys(store):
        if identifier in (row["id"], row["name"]) and row["revoked_at"] is None:
            store.change(keys, row["id"], revoked_at=int(time.time()))
            return {"id": row["id"], "name": row["name"], "revoked": True}
    raise RunError(f"no key that holds is called '{identifier}'", fix="tunewright keys list")


def are_keys(store: Store) -> bool:
    """Whether a key was ever made: from then on one is asked for, also when all are revoked."""
    with store.reading() as connection:
        return connection.execute(select(keys.c.id).limit(1)).first() is not None


def key_id(store: Store, key: str) -> str | None:
    """The id of a key that holds; None of any other text.

    What is looked up is a hash, of which a guess tells nothing; it is compared in constant time.
    """
    digest = _digest(key)
    with store.reading() as connection:
        query = select(keys.c.id, keys.c.digest).where(
            keys.c.digest == digest, keys.c.revoked_at.is_(None)
        )
        row = connection.execute(query).first()
    if row is None or not hmac.compare_digest(row.digest, digest):
        return None
    return str(row.id)


def _digest(key: str) -> str:
    """A key has 256 random bits: a plain hash of it cannot be searched backwards."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
