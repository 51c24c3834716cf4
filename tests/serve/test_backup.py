"""A copy made while the server runs, as its page tells, and put back after everything was lost."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from served import served, settings_in
from tiny_chats import write_chat_model
from tunewright.history.folder import runs_folder
from worked import create, ten_chats, trained, upload, wait_for, working

DATABASE = "tunewright.sqlite"
TOLD = "as pages say of SQLite; of PostgreSQL pg_dump makes the copy"


@pytest.mark.skipif("TUNEWRIGHT_TEST_POSTGRESQL" in os.environ, reason=TOLD)
def test_what_was_saved_goes_on_after_everything_was_lost(tmp_path: Path) -> None:
    model = write_chat_model(tmp_path / "tiny")
    settings = settings_in(tmp_path, models=(f"tiny={model}",))
    saved = tmp_path / "saved"
    saved.mkdir()
    few = {"n_epochs": 1, "batch_size": 5}
    with trained(settings) as client:
        file = upload(client, ten_chats())
        job = create(client, file, hyperparameters=few).id
        tuned = wait_for(client, job, "succeeded").fine_tuned_model
        copy_database(settings.folder / DATABASE, saved / DATABASE)
        shutil.copytree(settings.files_folder, saved / "files")
        shutil.copytree(runs_folder(), saved / "runs")
    shutil.rmtree(settings.folder)
    shutil.rmtree(runs_folder())
    settings.folder.mkdir()
    shutil.move(saved / DATABASE, settings.folder / DATABASE)
    shutil.move(saved / "files", settings.files_folder)
    shutil.move(saved / "runs", runs_folder())
    with served(settings) as client:
        assert client.fine_tuning.jobs.retrieve(job).status == "succeeded"
        asked = [{"role": "user", "content": "hello"}]
        answer = client.chat.completions.create(model=tuned, messages=asked, max_tokens=4)  # type: ignore[call-overload]
        assert answer.usage.completion_tokens > 0
        again = create(client, file, hyperparameters=few).id
        with working(settings):
            assert wait_for(client, again, "succeeded").fine_tuned_model != tuned


def copy_database(old: Path, new: Path) -> None:
    """As `.backup` of sqlite3 does."""
    with (
        contextlib.closing(sqlite3.connect(old)) as source,
        contextlib.closing(sqlite3.connect(new)) as copy,
    ):
        source.backup(copy)
