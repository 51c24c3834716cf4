import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tunewright.errors import RunError
from tunewright.history.folder import (
    create_run,
    find_run,
    name_and_id,
    run_folders,
    runs_folder,
)
from tunewright.history.lock import lock_run
from tunewright.history.state import read_state, write_state


@pytest.fixture(autouse=True)
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TUNEWRIGHT_RUNS", str(tmp_path / "runs"))
    return tmp_path / "runs"


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_runs_are_in_the_working_directory_unless_moved(
    runs: Path, monkeypatch: pytest.MonkeyPatch
):
    assert runs_folder() == runs
    monkeypatch.delenv("TUNEWRIGHT_RUNS")
    assert runs_folder() == Path.cwd() / "runs"


def test_a_new_run_is_named_by_moment_name_and_id_and_is_running(runs: Path):
    run = create_run("My Tickets!", "")
    assert re.fullmatch(r"\d{8}-\d{6}-my-tickets-[0-9a-f]{6}", run.name)
    state = read_state(run)
    assert state["state"] == "running"
    assert (state["pid"], state["host"]) == (os.getpid(), socket.gethostname())
    assert name_and_id(run) == ("my-tickets", state["id"])
    assert [p.name for p in runs.iterdir()] == [run.name]


def test_what_a_killed_process_had_begun_is_begun_anew(tmp_path: Path) -> None:
    left = tmp_path / ".new-trial-0002"
    left.mkdir()
    (left / "asked.yaml").write_text("half")
    run = create_run("trial", "whole", folder=tmp_path / "trial-0002")
    assert (run / "asked.yaml").read_text() == "whole"
    assert not left.exists()


@pytest.mark.parametrize("name", ["", "../../x", "/", "é", "a" * 300])
def test_any_name_makes_a_folder_inside_the_runs(runs: Path, name: str):
    assert create_run(name, "").resolve().parent == runs.resolve()


def test_a_change_of_state_keeps_the_other_keys():
    run = create_run("a", "")
    write_state(run, seed=7, stage="train")
    state = write_state(run, state="done")
    assert state == read_state(run)
    assert (state["seed"], state["stage"], state["state"]) == (7, "train", "done")


def test_a_resumed_run_forgets_its_error():
    run = create_run("a", "")
    write_state(run, state="failed", error="loss was not finite")
    assert write_state(run, state="running")["error"] is None


def test_an_unknown_state_is_a_mistake_of_the_caller():
    with pytest.raises(ValueError, match="finished"):
        write_state(create_run("a", ""), state="finished")


def test_a_run_whose_process_is_dead_reads_interrupted():
    run = create_run("a", "")
    write_state(run, pid=dead_pid())
    assert read_state(run)["state"] == "interrupted"
    assert json.loads((run / "run.json").read_text())["state"] == "running"


def test_a_younger_process_with_the_same_number_is_not_the_run():
    run = create_run("a", "")
    state = write_state(run, stage="train")
    state["updated"] = "2001-01-01T00:00:00+00:00"
    (run / "run.json").write_text(json.dumps(state))
    assert read_state(run)["state"] == "interrupted"


def test_a_process_on_another_host_is_believed():
    run = create_run("a", "")
    write_state(run, pid=dead_pid(), host="elsewhere")
    assert read_state(run)["state"] == "running"


@pytest.mark.parametrize("content", ["", "{", "[]", "{}", '{"state": "odd"}', '{"state": []}'])
def test_a_broken_run_json_is_a_run_error(content: str):
    run = create_run("a", "")
    (run / "run.json").write_text(content)
    with pytest.raises(RunError, match=r"run\.json"):
        read_state(run)


def test_a_run_is_found_by_path_name_id_beginning_end_and_last():
    first, second = create_run("tickets", ""), create_run("reviews", "")
    first_id = name_and_id(first)[1]
    for ref in (first, str(first), str(first / "run.json"), first.name, first_id, "tickets"):
        assert find_run(ref) == first
    assert find_run(f"tickets-{first_id}") == first
    assert find_run(second.name[:-3]) == second
    assert find_run("last") == second
    assert run_folders() == [first, second]


def test_several_fitting_runs_are_named():
    one, two = create_run("same", ""), create_run("same", "")
    with pytest.raises(RunError, match="2 runs fit 'same'") as caught:
        find_run("same")
    assert one.name in caught.value.what
    assert two.name in caught.value.what


def test_a_missing_run_names_the_near_ones():
    run = create_run("tickets", "")
    for ref in ("tickts", "nothing-like-it", ""):
        with pytest.raises(RunError, match=run.name):
            find_run(ref)


def test_no_runs_at_all_is_said():
    with pytest.raises(RunError, match="no runs"):
        find_run("last")


def test_a_folder_that_is_no_run_is_said(tmp_path: Path):
    with pytest.raises(RunError, match="not a run"):
        find_run(tmp_path)
    with pytest.raises(RunError, match="no run folder"):
        find_run(tmp_path / "absent")


def test_a_held_run_names_its_holder():
    run = create_run("a", "")
    with lock_run(run), pytest.raises(RunError, match=f"process {os.getpid()} on"), lock_run(run):
        pass
    with lock_run(run):
        pass


def test_a_name_that_a_kill_left_behind_is_not_told():
    run = create_run("a", "")
    with lock_run(run):
        (run / ".lock.json").write_text(
            json.dumps({"host": socket.gethostname(), "pid": dead_pid()})
        )
        with pytest.raises(RunError, match="is held by another process"), lock_run(run):
            pass
        (run / ".lock.json").write_text(json.dumps({"host": "elsewhere", "pid": 7}))
        with pytest.raises(RunError, match="is held by process 7 on elsewhere"), lock_run(run):
            pass


def test_another_process_is_kept_out_and_let_in_when_the_holder_dies():
    run = create_run("a", "")
    code = (
        "import sys, pathlib; from tunewright.history.lock import lock_run\n"
        "with lock_run(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(run)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunError, match=f"process {other.pid} on"), lock_run(run):
            pass
        other.kill()
    with lock_run(run):
        pass


def test_a_run_that_was_removed_is_not_made_again_by_locking_it(runs: Path):
    with pytest.raises(RunError, match="no run folder"), lock_run(runs / "gone"):
        pass
    assert not runs.exists()
