"""The page of the data check: complete in itself, and safe with hostile texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOSTILE = "</script><script>alert(1)</script> plain words of a row"


def write_rows(path: Path) -> Path:
    rows = [f"some plain words of row {i},{'b' if i % 2 else 'a'}" for i in range(60)]
    rows[7] = f"{HOSTILE},a"
    path.write_text("\n".join(["text,label", *rows, rows[3], rows[7]]), encoding="utf-8")
    return path


def test_the_page_has_the_rows_of_every_finding_and_their_ids(
    tmp_path: Path, cli: Callable[..., Any]
) -> None:
    source, page = write_rows(tmp_path / "x.csv"), tmp_path / "check.html"
    found = json.loads(cli("check", source, "--html", page, "--json").out)["findings"]
    text = page.read_text("utf-8")
    content = re.search(r'<script type="application/json" id="content">(.*?)</script>', text)
    assert content is not None
    assert json.loads(content[1]) == found
    assert all(len(row["id"]) == 32 for finding in found for row in finding["rows"])
    assert "Lengths of texts" in text


def test_a_hostile_text_stays_text_and_only_the_own_script_may_run(
    tmp_path: Path, cli: Callable[..., Any]
) -> None:
    cli("check", write_rows(tmp_path / "x.csv"), "--html", tmp_path / "check.html")
    text = (tmp_path / "check.html").read_text("utf-8")
    assert "<script>alert" not in text
    assert text.count("<script") == 2
    assert "default-src 'none'" in text
    assert not re.search(r"(?:src|href)=", text.split("<script>")[0])


def test_the_summary_fits_a_screen_and_all_shows_the_rest(
    tmp_path: Path, cli: Callable[..., Any]
) -> None:
    rows = [f"some plain words of row {i},{'b' if i % 2 else 'a'}" for i in range(60)]
    faults = ["<br>", "cafÃ©", "a@posteo.net", "sk-abcdefghijklmnop1234567890", "w " * 2000]
    rows += [f"word {i} {fault},a" for i, fault in enumerate(faults)]
    rows += [rows[0], "ok,a", "some plain words of row 2,b", " ,a"]
    (tmp_path / "x.csv").write_text("\n".join(["text,label", *rows]), encoding="utf-8")
    said, all_said = (cli("check", tmp_path / "x.csv", *more).out for more in ([], ["--all"]))
    assert said.startswith("5 warnings, 4 notes")
    assert len(said.splitlines()) <= 24
    assert "more, with --all:" in said
    assert "more, with --all:" not in all_said
    assert said.count("fix:") == 6
    assert all_said.count("fix:") == 9
