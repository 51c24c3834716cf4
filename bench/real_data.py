"""What real data sets contain: duplicates, leaks between their parts, labels that look wrong.

Needs the data sets in ../shared/data; says so and stops when they are not there. Each is checked
with the embedded model, as `tunewright check SET --model minilm` does where its leaks are allowed.
Names of sets restrict it to them; what is known of the others is kept. `table` prints what is known.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from bench.beside import RESULTS, ROOT

DATA = ROOT.parent / "shared" / "data"
FILE = RESULTS / "real_data.json"
SETS: dict[str, tuple[str, list[str]]] = {
    "banking77": ("banking77", []),
    "sst5": ("sst5", ["data.columns.label=label", "task=text-classification"]),
    "sms_spam": ("sms_spam/sms.csv", []),
    "tweeteval_emotion": ("tweeteval_emotion", ["data.columns.label=label"]),
}
SETTINGS = ["model=minilm", "data.allow=[leak,near-leak,contradictory-label]"]
CODES = ("duplicate", "contradictory-label", "leak", "label-error", "outlier", "truncated")


def main(names: list[str] | None = None) -> None:
    """Check, print the table, keep it in results/real_data.json."""
    words = sys.argv[1:] if names is None else names
    if not DATA.is_dir():
        print(f"there are no data sets in {DATA}")
        return
    known: dict[str, Any] = json.loads(FILE.read_text()) if FILE.exists() else {}
    for name in [] if words == ["table"] else words or SETS:
        known[name] = checked(DATA / SETS[name][0], SETS[name][1])
        RESULTS.mkdir(exist_ok=True)
        FILE.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    print_table(known)


def checked(source: Path, settings: list[str]) -> dict[str, Any]:
    """Code → count and message of each finding, without texts; and the seconds."""
    from tunewright import check

    started = time.perf_counter()
    findings = check(source, settings=[*SETTINGS, *settings])["findings"]
    kept = [
        {key: each[key] for key in ("code", "severity", "count", "message")} for each in findings
    ]
    for each in kept:
        each["message"] = each["message"].replace(f"{DATA}/", "")
    return {"seconds": round(time.perf_counter() - started, 1), "findings": kept}


def print_table(known: dict[str, Any]) -> None:
    """A line for each set, a column for each code."""
    print(f"| set | {' | '.join(CODES)} |")
    print(f"|---|{'---|' * len(CODES)}")
    for name, facts in known.items():
        counts = dict.fromkeys(CODES, 0)
        for finding in facts["findings"]:
            if finding["code"] in counts:
                counts[finding["code"]] += finding["count"]
        print(f"| {name} | {' | '.join(f'{counts[code]:,}' for code in CODES)} |")


if __name__ == "__main__":
    main()
