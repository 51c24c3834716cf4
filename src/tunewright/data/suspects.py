"""What a model found in the rows of a run, kept in the run's folder."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from tunewright.data.findings import Finding
from tunewright.durable import write_json

FILE = "suspects.json"


@dataclass(frozen=True)
class Suspects:
    """Findings about rows of training and validation; never of the test.

    Args:
        left_out: code → why such findings were not looked for.
        features_s: seconds that the features took, which the head is solved from too; `seconds`:
            of all that was done.
        data_hash: of the rows, as `Prepared` has it.
    """

    findings: tuple[Finding, ...]
    left_out: dict[str, str]
    features_s: float
    seconds: float
    data_hash: str


def write_suspects(run_folder: Path, suspects: Suspects) -> None:
    """Keep them: their rows are the user's own, with texts."""
    write_json(run_folder / "data" / FILE, asdict(suspects))


def read_suspects(run_folder: Path) -> Suspects | None:
    """What was kept; None where nothing is."""
    path = run_folder / "data" / FILE
    if not path.is_file():
        return None
    content = json.loads(path.read_text("utf-8"))
    findings = (
        Finding(**each | {key: tuple(each.get(key, ())) for key in ("rows", "ids")})
        for each in content["findings"]
    )
    return Suspects(**content | {"findings": tuple(findings)})
