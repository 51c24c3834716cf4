"""A run with views of its training rows: what is said, what auto decides, what stays sealed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from quick_run import only_run, run_words
from tunewright import augmenting
from tunewright.durable import read_lines
from tunewright.recipe.load import load_recipe

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
METHODS = "augment.methods=[swap,delete]"


def events(kind: str) -> list[dict[str, Any]]:
    return [e for e in read_lines(only_run() / "events.jsonl") if e["event"] == kind]


def test_how_many_rows_are_shown_changed_is_said(tickets: Path, tiny_bert: Path, cli: Cli) -> None:
    said = cli(*run_words(tickets, tiny_bert, METHODS, "augment.views=2"))
    assert said.code == 0
    (told,) = events("augmented")
    assert (told["views"], told["rows"]) == (2, events("prepared")[0]["rows"]["train"])
    assert told["rows"] / 2 < told["changed"] <= told["rows"]
    assert "training rows are also shown changed" in said.err
    recipe = load_recipe(only_run() / "recipe.yaml")
    assert recipe.augment.methods == ("swap", "delete")
    written = (only_run() / "recipe.yaml").read_text()
    assert f"{told['changed']} of {told['rows']} training rows differ in one of them" in written


def test_views_leave_parts_and_seal_as_they_are(
    tickets: Path, tiny_bert: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = []
    for runs, more in (("plain", []), ("views", [METHODS])):
        monkeypatch.setenv("TUNEWRIGHT_RUNS", str(tmp_path / runs))
        assert cli(*run_words(tickets, tiny_bert, *more), "--until", "adapt").code == 0
        data = only_run() / "data"
        found.append([(data / name).read_bytes() for name in ("splits.csv", "sealed.arrow")])
    assert found[0] == found[1]


@pytest.mark.parametrize("low", [0.01, -0.01])
def test_auto_keeps_views_only_where_the_whole_interval_is_a_gain(
    tickets: Path, tiny_bert: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch, low: float
) -> None:
    monkeypatch.setattr(
        augmenting, "paired_difference", lambda *_, **__: {"value": 0.02, "low": low, "high": 0.1}
    )
    monkeypatch.setattr("tunewright.backends.torch.session.fetch_synonyms", lambda: {})
    assert cli(*run_words(tickets, tiny_bert, "augment=auto"), "--until", "adapt").code == 0
    written = (only_run() / "recipe.yaml").read_text()
    (line,) = [each for each in written.splitlines() if each.startswith("  methods:")]
    interval = f"+0.0200 of accuracy [{low:+.4f}, +0.1000] on validation"
    assert interval in line
    kept = yaml.safe_load(written)["augment"]
    assert kept["methods"] == (["delete", "swap", "synonym"] if low > 0 else "none")
    assert kept["views"] == (4 if low > 0 else None)
    assert load_recipe(only_run() / "recipe.yaml").augment.mix_up == 0.0


def test_auto_is_measured_and_decided_once(tickets: Path, tiny_bert: Path, cli: Cli) -> None:
    """Random features tell nothing: whatever the probe says, its interval is in the reason."""
    words = run_words(tickets, tiny_bert, "augment.methods=auto", "augment.views=2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tunewright.backends.torch.session.fetch_synonyms", lambda: {})
        assert cli(*words, "--until", "adapt").code == 0
        before = load_recipe(only_run() / "recipe.yaml").augment
        patch.setattr(augmenting, "find_gain", lambda *_: pytest.fail("measured again"))
        assert cli("run", "--resume", "last", "--until", "adapt").code == 0
    assert load_recipe(only_run() / "recipe.yaml").augment == before


def test_ways_that_change_no_row_are_refused(tiny_bert: Path, tmp_path: Path, cli: Cli) -> None:
    path = tmp_path / "short.csv"
    rows = [f"{word} {row},{word}" for row in range(20) for word in ("crash", "refund")]
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    said = cli(*run_words(path, tiny_bert, METHODS), "--json")
    assert said.code == 2
    assert "none of the 28 training rows can be changed so" in said.error()


def test_mix_up_of_texts_needs_a_head_that_learns_by_steps(
    tickets: Path, tiny_bert: Path, cli: Cli
) -> None:
    said = cli(*run_words(tickets, tiny_bert, "augment.mix_up=0.4"))
    assert said.code == 2
    assert "no phase does that" in said.error()
    mixed = run_words(tickets, tiny_bert, "augment.mix_up=0.4", "train.strategy=head")
    assert cli(*mixed).code == 0
