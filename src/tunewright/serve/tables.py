"""The tables of the store. `number` counts up, and gives lists their order."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
)

metadata = MetaData()
_COUNT = BigInteger().with_variant(Integer, "sqlite")


def _number() -> Column[int]:
    return Column("number", _COUNT, primary_key=True, autoincrement=True)


def _id() -> Column[str]:
    return Column("id", String(200), nullable=False, unique=True)


def _created() -> Column[int]:
    return Column("created_at", BigInteger, nullable=False)


files = Table(
    "files",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("bytes", BigInteger, nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("expires_at", BigInteger),
    Column("status", String(16), nullable=False),
    Column("status_details", Text),
    Column("sha256", String(64), nullable=False),
)

uploads = Table(
    "uploads",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("bytes", BigInteger, nullable=False),
    Column("filename", Text, nullable=False),
    Column("purpose", String(32), nullable=False),
    Column("mime_type", Text, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("file_expires_after_s", BigInteger),
    Column("status", String(16), nullable=False),
    Column("file", String(64)),
)

upload_parts = Table(
    "upload_parts",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("upload", ForeignKey("uploads.id", ondelete="CASCADE"), nullable=False),
    Column("bytes", BigInteger, nullable=False),
)

jobs = Table(
    "jobs",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("model", Text, nullable=False),
    # What the name of the tuned model begins with, as it was when the job was made.
    Column("base", Text, nullable=False),
    Column("organization", Text, nullable=False),
    Column("training_file", String(64), nullable=False),
    Column("validation_file", String(64)),
    Column("method", JSON, nullable=False),
    Column("suffix", Text),
    Column("seed", BigInteger, nullable=False),
    Column("metadata", JSON(none_as_null=True)),
    Column("extension", JSON, nullable=False),
    Column("status", String(24), nullable=False, index=True),
    Column("wanted", String(16), nullable=False, server_default="run"),
    Column("error", JSON(none_as_null=True)),
    Column("finished_at", BigInteger),
    Column("estimated_finish", BigInteger),
    Column("fine_tuned_model", Text),
    Column("trained_tokens", BigInteger),
    Column("result_files", JSON, nullable=False),
    # The run that does the work, and how far its events were told.
    Column("run", Text),
    Column("told", BigInteger, nullable=False, server_default="0"),
    # Who works on it: the lease goes on with each heartbeat, the fence counts the owners.
    Column("owner", String(200)),
    Column("leased_until", Float),
    Column("fence", BigInteger, nullable=False, server_default="0"),
    Column("crashes", Integer, nullable=False, server_default="0"),
)

events = Table(
    "events",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("job", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("level", String(8), nullable=False),
    Column("message", Text, nullable=False),
    Column("type", String(32), nullable=False),
    Column("data", JSON(none_as_null=True)),
    # What happened once is told once, also after a kill between telling and noting it.
    Column("once", String(64), nullable=False),
    UniqueConstraint("job", "once"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("job", ForeignKey("jobs.id", ondelete="CASCADE"), nullable=False),
    Column("model", Text, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("metrics", JSON, nullable=False),
    UniqueConstraint("job", "step"),
)

permissions = Table(
    "permissions",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("checkpoint", Text, nullable=False, index=True),
    Column("project", Text, nullable=False),
    UniqueConstraint("checkpoint", "project"),
)

# `id` is the model's name; what cannot be listed here is a base of the catalog.
models = Table(
    "models",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("owned_by", Text, nullable=False),
    Column("base", Text, nullable=False),
    Column("path", Text, nullable=False),
    Column("job", String(64)),
    Column("task", String(32), nullable=False),
)

keys = Table(
    "keys",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("name", Text, nullable=False),
    Column("digest", String(64), nullable=False, unique=True),
    Column("hint", String(16), nullable=False),
    Column("revoked_at", BigInteger),
)

# Batches, responses and stored chats: kept whole, found by kind and id.
objects = Table(
    "objects",
    metadata,
    _number(),
    _id(),
    _created(),
    Column("kind", String(32), nullable=False),
    Column("status", String(32)),
    Column("body", JSON, nullable=False),
)
Index("objects_by_kind", objects.c.kind, objects.c.number)
