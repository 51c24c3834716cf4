import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from result_example import a_result
from tunewright.errors import RunError
from tunewright.history import index
from tunewright.history.folder import create_run
from tunewright.history.index import list_runs, rebuild_index, remove_run
from tunewright.history.lock import lock_run
from tunewright.history.result import write_result
from tunewright.history.state import write_state
from tunewright.tuning.study import as_worker


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEWRIGHT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def test_no_folder_is_no_runs(runs: Path):
    assert list_runs() == []
    assert not runs.exists()


def test_a_row_tells_state_and_scores_newest_first():
    old, new = create_run("old", ""), create_run("new", "")
    write_result(old, a_result())
    write_state(old, state="done", stage="evaluate")
    rows = list_runs()
    assert [row["folder"] for row in rows] == [new.name, old.name]
    assert (rows[0]["state"], rows[0]["validation"], rows[0]["wall_s"]) == ("running", None, None)
    assert rows[1]["state"] == "done"
    assert rows[1]["validation"] == {"value": 0.9, "low": 0.85, "high": 0.94}
    assert (rows[1]["task"], rows[1]["model"]) == ("text-classification", "minilm")
    assert (rows[1]["metric"], rows[1]["test"], rows[1]["wall_s"]) == ("accuracy", None, 3.5)


def test_a_change_in_the_folder_is_seen_at_once():
    run = create_run("a", "")
    list_runs()
    write_state(run, state="failed", error="x")
    assert list_runs()[0]["state"] == "failed"
    write_result(run, a_result())
    assert list_runs()[0]["metric"] == "accuracy"


def test_unchanged_runs_are_not_read_again(monkeypatch: pytest.MonkeyPatch):
    create_run("a", "")
    rows = list_runs()
    monkeypatch.setattr(index, "_facts", lambda run: pytest.fail(f"read {run} again"))
    assert list_runs() == rows


def test_a_run_that_dies_is_interrupted_although_its_file_is_unchanged(
    monkeypatch: pytest.MonkeyPatch,
):
    create_run("a", "")
    assert list_runs()[0]["state"] == "running"
    monkeypatch.setattr(os, "getpid", lambda: 0)
    monkeypatch.setattr("tunewright.history.state._is_alive", lambda state: False)
    assert list_runs()[0]["state"] == "interrupted"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"state": 3}'])
def test_a_broken_run_is_listed_unreadable_and_can_be_removed(runs: Path, content: str):
    run = create_run("a", "")
    (run / "run.json").write_text(content)
    assert list_runs()[0]["state"] == "unreadable"
    remove_run(run.name)
    assert list_runs() == []


def test_a_run_without_run_json_can_be_removed_by_path():
    run = create_run("a", "")
    (run / "run.json").unlink()
    assert list_runs()[0]["state"] == "unreadable"
    assert remove_run(run) == run
    assert not run.exists()


@pytest.mark.parametrize("content", ['{"metric": [], "validation": 3}', "[", '{"model": []}'])
def test_a_broken_result_does_not_stop_the_list(content: str):
    run = create_run("a", "")
    (run / "result.json").write_text(content)
    assert list_runs()[0]["validation"] is None


@pytest.mark.parametrize("content", [b"", b"not a database at all, but long enough" * 40])
def test_a_damaged_index_is_rebuilt_in_silence(runs: Path, content: bytes):
    create_run("a", "")
    rows = list_runs()
    (runs / "index.sqlite").write_bytes(content)
    assert list_runs() == rows
    with closing(sqlite3.connect(runs / "index.sqlite")) as database:
        assert database.execute("SELECT count(*) FROM runs").fetchone() == (1,)


def test_an_index_with_another_table_or_other_facts_is_rebuilt(runs: Path):
    create_run("a", "")
    rows = list_runs()
    for change in ("UPDATE runs SET facts = '3'", "ALTER TABLE runs RENAME COLUMN facts TO other"):
        with closing(sqlite3.connect(runs / "index.sqlite")) as database, database:
            database.execute(change)
        assert list_runs() == rows


def test_rebuilding_counts_the_runs(runs: Path):
    create_run("a", "")
    create_run("b", "")
    (runs / "something-else").mkdir()
    assert rebuild_index() == 2
    (runs / "index.sqlite").unlink()
    assert rebuild_index() == 2


def test_a_rebuild_deletes_what_is_left_of_a_removal_that_was_killed(runs: Path):
    run = create_run("a", "")
    run.rename(run.with_name(f".removed-{run.name}"))
    assert list_runs() == []
    assert rebuild_index() == 0
    assert not list(runs.glob(".removed-*"))


def test_a_locked_run_is_not_removed():
    run = create_run("a", "")
    with lock_run(run), pytest.raises(RunError, match="held by"):
        remove_run("a")
    assert run.is_dir()
    remove_run("a")
    assert list_runs() == []


def test_a_search_that_is_at_work_is_not_removed():
    study = create_run("a-tune", "", kind="tune")
    with as_worker(study), pytest.raises(RunError, match="is at work"):
        remove_run(study)
    remove_run(study)
    assert not study.exists()


def test_removing_what_is_not_there_is_said(tmp_path: Path):
    create_run("a", "")
    with pytest.raises(RunError, match="no run fits"):
        remove_run("zzz")
    with pytest.raises(RunError, match="not a run"):
        remove_run(tmp_path)
