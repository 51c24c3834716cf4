"""Who works on a job: one worker at a time, for as long as it says that it is there.

A claim counts the job's fence up. Whatever the owner writes holds only while the fence is still
its own: one that was taken for dead, and comes back, changes nothing.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, or_, select, update

from tunewright.serve.store import Row, Store
from tunewright.serve.tables import jobs


@dataclass(frozen=True)
class Lease:
    """A job that is held. `fence` is the number of this holding."""

    job: str
    fence: int


class LostError(Exception):
    """The job is another's now, or ended."""


def claim(
    store: Store, statuses: Sequence[str], owner: str, lease_s: float
) -> tuple[Lease, Row] | None:
    """Take the oldest job in one of these statuses that nobody holds."""
    now = time.time()
    free = or_(jobs.c.leased_until.is_(None), jobs.c.leased_until < now)
    with store.writing() as connection:
        query = select(jobs).where(jobs.c.status.in_(statuses), free).order_by(jobs.c.number)
        row = connection.execute(query.limit(1)).mappings().first()
        if row is None:
            return None
        lease = Lease(row["id"], row["fence"] + 1)
        taken = connection.execute(
            update(jobs)
            .where(jobs.c.id == row["id"], jobs.c.fence == row["fence"])
            .values(owner=owner, fence=lease.fence, leased_until=now + lease_s)
        )
        return (lease, dict(row)) if taken.rowcount else None


def write(connection: Connection, lease: Lease, **values: Any) -> None:
    """Change a job that is held; within a transaction of which nothing stays if it is not.

    Raises:
        LostError: it is not.
    """
    mine = update(jobs).where(jobs.c.id == lease.job, jobs.c.fence == lease.fence)
    if not connection.execute(mine.values(**values)).rowcount:
        raise LostError(lease.job)


def renew(store: Store, lease: Lease, lease_s: float) -> None:
    """Say that its owner is there. Raises LostError when it is not its any more."""
    with store.writing() as connection:
        write(connection, lease, leased_until=time.time() + lease_s)


def release(connection: Connection, lease: Lease, *, wait_s: float = 0.0, **values: Any) -> None:
    """Let go of a job, with a last change.

    Args:
        wait_s: before another may take it.
    """
    until = time.time() + wait_s if wait_s else None
    write(connection, lease, owner=None, leased_until=until, **values)
