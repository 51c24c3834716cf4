"""The store: SQLite beside the files, or PostgreSQL by URL."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from jiter import from_json
from sqlalchemy import (
    Connection,
    Engine,
    Table,
    create_engine,
    delete,
    event,
    insert,
    select,
    update,
)
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, OperationalError

from tunewright.durable import make_folder
from tunewright.errors import RunError
from tunewright.serve import tables
from tunewright.serve.settings import ServeSettings

Row = dict[str, Any]
_BUSY_S = 30


class Store:
    """Rows in and out, each call one transaction; safe to use from several threads.

    Raises:
        RunError: the database cannot be opened.
    """

    def __init__(self, url: str) -> None:
        try:
            self.engine = _engine(url)
            with self.engine.begin() as connection:
                tables.metadata.create_all(connection)
        except (ArgumentError, NoSuchModuleError, OperationalError, ImportError) as error:
            reason = str(error).splitlines()[0]
            raise RunError(
                f"the database cannot be opened: {reason}",
                fix="check --database; PostgreSQL needs pip install 'tunewright[postgres]'",
            ) from None

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Within, one consistent view."""
        with self.engine.connect().execution_options(reads=True) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """Within, one transaction; another writer waits."""
        with self.engine.begin() as connection:
            yield connection

    def get(self, table: Table, identifier: str) -> Row | None:
        """The row of this id."""
        with self.reading() as connection:
            found = connection.execute(select(table).where(table.c.id == identifier)).mappings()
            row = found.first()
        return None if row is None else dict(row)

    def add(self, table: Table, **values: Any) -> Row:
        """Insert a row, with the time it was made; returns it whole."""
        values.setdefault("created_at", int(time.time()))
        with self.writing() as connection:
            connection.execute(insert(table).values(**values))
            found = select(table).where(table.c.id == values["id"])
            return dict(connection.execute(found).mappings().one())

    def change(self, table: Table, identifier: str, *where: Any, **values: Any) -> bool:
        """Change the row of this id where it still is as `where` says; whether it was."""
        query = update(table).where(table.c.id == identifier, *where).values(**values)
        with self.writing() as connection:
            return connection.execute(query).rowcount > 0

    def remove(self, table: Table, identifier: str, *where: Any) -> bool:
        """Delete the row of this id; whether there was one."""
        with self.writing() as connection:
            found = connection.execute(delete(table).where(table.c.id == identifier, *where))
            return found.rowcount > 0

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


def open_store(settings: ServeSettings) -> Store:
    """The store of a server or worker, and its folder, which nobody else on this machine may read."""
    if not settings.folder.exists():
        make_folder(settings.folder.absolute())
        settings.folder.chmod(0o700)
    make_folder(settings.files_folder)
    return Store(settings.database_url)


def _engine(url: str) -> Engine:
    if not url.startswith("sqlite"):
        return create_engine(url, pool_pre_ping=True)
    engine = create_engine(url, connect_args={"timeout": _BUSY_S}, json_deserializer=_from_json)
    event.listen(engine, "connect", _set_up_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _from_json(text: str) -> Any:
    return from_json(text.encode())  # a list reads four of them for each job


def _set_up_sqlite(connection: Any, _: Any) -> None:
    connection.isolation_level = None  # transactions begin where `_begin` says
    cursor = connection.cursor()
    # A rollback journal also holds on network file systems, where WAL does not.
    for setting in ("journal_mode=DELETE", "synchronous=FULL", "foreign_keys=ON"):
        cursor.execute(f"PRAGMA {setting}")
    cursor.close()


def _begin(connection: Connection) -> None:
    """A write transaction takes its lock at once: none fails half way for another's sake."""
    reads = connection.get_execution_options().get("reads", False)
    connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")
