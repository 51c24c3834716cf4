"""The report stands alone, escapes what users wrote, and leaves out what it was not told."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from tunewright.evaluation import report
from tunewright.evaluation.facts import wall_s

EVIL = "<script>alert(1)</script><img src=https://evil.example/x onerror=alert(2)>"
VOID = {"meta", "br", "img", "input", "link", "hr"}


def facts(num_classes: int = 3) -> dict[str, Any]:
    """Every fact, small, with hostile text wherever a user's text can come in."""
    labels = [f"{EVIL}{k}" for k in range(num_classes)]
    score = {"accuracy": {"value": 0.8, "low": 0.7, "high": 0.9}}
    return {
        "title": EVIL,
        "run_id": "run-7",
        "created": "today",
        "state": "done",
        "verdict": {
            "sentence": "80.0 % accuracy",
            "better_than_baseline": True,
            "difference": None,
        },
        "metric": "accuracy",
        "part": "validation",
        "scores": {"validation": score, "test": None},
        "baselines": {"validation": {"tfidf": score}},
        "baseline_seconds": {"tfidf": 2.0},
        "sealed": {"rows": 1234, "looks": [{"date": "d", "run": "r", "command": EVIL}]},
        "curves": {
            "train": [{"step": s, "loss": 1 / s} for s in range(1, 400)],
            "validation": [{"step": s, "accuracy": 0.7, "log_loss": 0.5} for s in (10, 20)],
            "best": [{"step": 10, "value": 0.7}],
            "phases": [
                {"name": EVIL, "first_step": 1, "last_step": 10},
                {"name": "all", "first_step": 11, "last_step": 399},
            ],
        },
        "phases": [
            {
                "name": "head",
                "trainable_blocks": 0,
                "learning_rate": 2e-5,
                "epochs": 3,
                "rows_per_s": 1234.5,
                "product_share": 0.625,
                "cached": True,
                "cache_mib": 29.3,
                "cache_build_s": 2.1,
                "reason": EVIL,
                "wall_s": 200.0,
            }
        ],
        "labels": labels,
        "confusion": [
            [5 if a == b else (a + b) % 2 for a in range(num_classes)] for b in range(num_classes)
        ],
        "per_class": [
            {"label": label, "precision": 0.5, "recall": 0.6, "f1": 0.55, "count": 9}
            for label in labels
        ],
        "calibration": [
            {"low": 0.6, "high": 0.667, "confidence": 0.63, "accuracy": 0.5, "count": 7}
        ],
        "mistakes": [
            {
                "text": EVIL + "x" * 400,
                "label": labels[0],
                "predicted": labels[1],
                "confidence": 0.98,
                "place": EVIL,
            }
        ],
        "split": {
            "labels": labels,
            "parts": {"train": [7] * num_classes, "test": [2] * num_classes},
            "rows": {"train": 7 * num_classes, "test": 2 * num_classes},
        },
        "findings": [
            {"code": "duplicate", "severity": "warning", "message": EVIL, "fix": EVIL, "count": 2}
        ],
        "choices": [{"key": "train.epochs", "value": 3, "reason": EVIL}],
        "recipe_yaml": f"name: {EVIL}\n",
        "commands": [{"what": "again", "command": f"tunewright run {EVIL}"}],
        "versions": {"torch": "2.9"},
    }


class Page(HTMLParser):
    """Every tag and attribute of a page; fails on tags that are not closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [(key, value or "") for key, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


@pytest.mark.parametrize("num_classes", [2, 30, 31, 77])
def test_what_users_wrote_is_escaped_everywhere(num_classes: int) -> None:
    text = report.render(facts(num_classes))
    page = Page(text)
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert not [key for key, _ in page.attributes if key.startswith("on")]
    assert "&lt;script&gt;" in text


def test_the_page_asks_for_nothing_from_outside() -> None:
    text = report.render(facts())
    page = Page(text)
    assert not [key for key, _ in page.attributes if key in {"src", "href", "srcset", "data"}]
    assert {"link", "iframe", "object", "base"}.isdisjoint(page.tags)
    style = text[text.index("<style>") : text.index("</style>")]
    assert not re.search(r"url\(|@import|https?:", style)
    assert "default-src 'none'" in text


def test_a_page_without_any_fact_renders() -> None:
    text = report.render({})
    assert Page(text).tags.count("section") == 0
    assert "<title>Tunewright report</title>" in text


@pytest.mark.parametrize("left_out", sorted(facts()))
def test_any_one_fact_may_be_missing(left_out: str) -> None:
    known = facts()
    known.pop(left_out)
    Page(report.render(known))


@pytest.mark.parametrize("alone", sorted(facts()))
def test_any_one_fact_may_be_alone(alone: str) -> None:
    Page(report.render({alone: facts()[alone]}))


def test_every_section_has_its_place() -> None:
    places = re.findall(r'<section id="(\w+)"', report.render(facts()))
    assert places == [
        "scores",
        "curves",
        "phases",
        "confusion",
        "classes",
        "calibration",
        "mistakes",
        "split",
        "findings",
        "choices",
        "commands",
        "recipe",
    ]


def test_a_sealed_test_says_how_to_open_it() -> None:
    text = report.render(facts())
    assert "Not opened yet, 1,234 rows; open with <code>tunewright test run-7</code>" in text


def test_an_opened_test_shows_its_scores_instead() -> None:
    known = facts()
    known["scores"]["test"] = {"accuracy": {"value": 0.777, "low": 0.7, "high": 0.8}}
    text = report.render(known)
    assert "77.7" in text
    assert "Not opened yet" not in text


def test_thirty_classes_make_a_heat_map_and_more_make_a_list_of_pairs() -> None:
    assert "Confusion matrix of 30 classes" in report.render(facts(30))
    many = report.render(facts(31))
    assert "Confusion matrix" not in many
    assert "Most confused pairs" in many


def test_a_long_text_is_cut_at_three_hundred_characters() -> None:
    assert report.clip("a" * 300) == "a" * 300
    assert report.clip("a" * 301) == "a" * 299 + "…"


def test_characters_that_no_page_may_hold_are_replaced(tmp_path: Path) -> None:
    known = facts()
    known["mistakes"][0]["text"] = "nul \x00, half a pair \ud800, bell \x07"
    report.write_report(tmp_path / "report.html", known)
    assert "nul �, half a pair �, bell �" in (tmp_path / "report.html").read_text("utf-8")


def test_a_report_is_replaced_whole(tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    report.write_report(path, {"title": "first"})
    report.write_report(path, {"title": "second"})
    assert "second" in path.read_text("utf-8")
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("verdict", "tone"),
    [
        (None, "open"),
        ({"better_than_baseline": True, "difference": None}, "good"),
        ({"better_than_baseline": False, "difference": {"high": 0.1}}, "open"),
        ({"better_than_baseline": False, "difference": {"high": -0.1}}, "bad"),
    ],
)
def test_the_tone_follows_the_verdict(verdict: dict[str, Any] | None, tone: str) -> None:
    assert report.tone(verdict) == tone


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "–"), (0.44, "0.4 s"), (42.2, "42 s"), (200.0, "3 min 20 s"), (4321.0, "1 h 12 min")],
)
def test_a_duration_reads_like_one(value: float | None, said: str) -> None:
    assert report.seconds(value) == said


def test_the_seconds_of_a_run_are_those_of_all_its_processes_without_the_pauses() -> None:
    killed = [{"event": "stage", "stage": "choose", "time": 10.0}, {"event": "steps", "time": 14.0}]
    resumed = [{"event": "stage", "stage": "choose", "time": 90.0}, {"event": "x", "time": 91.0}]
    assert wall_s(killed, 15.5) == 5.5
    assert wall_s([*killed, *resumed], 92.25) == 4.0 + 2.25
