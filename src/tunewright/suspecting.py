"""What a pre-trained model finds in the rows of training and validation, before it learns."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from tunewright.adapting import Adapted
from tunewright.backends.out_of_sample import FOLDS, out_of_sample
from tunewright.backends.truncation import truncation
from tunewright.data.checks.label_errors import doubts
from tunewright.data.checks.outliers import distances, far_out
from tunewright.data.checks.suspects import Looked, label_errors, outliers, truncated
from tunewright.data.findings import Finding
from tunewright.data.prepare import Prepared
from tunewright.data.suspects import Suspects
from tunewright.features import PARTS, of_parts

CODES = ("label-error", "outlier", "truncated")


def look_for_suspects(adapted: Adapted, prepared: Prepared) -> Suspects:
    """Labels that probes doubt, rows far from all others, and what is cut off of rows.

    Rows of the test part are never among them.

    Args:
        adapted: its layers have not learned yet.
    """
    started = time.monotonic()
    looked = Looked([getattr(prepared, part) for part in PARTS])
    left_out: dict[str, str] = {}
    findings = _truncated(adapted, looked, left_out)
    known = of_parts(adapted)
    features_s = time.monotonic() - started
    if known is None:
        left_out |= dict.fromkeys(("label-error", "outlier"), "a row has no single vector")
    else:
        features = np.concatenate([known[part] for part in PARTS])
        keys = np.concatenate([rows.text_keys() for rows in looked.parts])
        distance = distances(features, keys, adapted.recipe.seed)
        findings += outliers(looked, far_out(distance), distance)
        findings += _label_errors(adapted, prepared, looked, features, keys, left_out)
    ordered = sorted(findings, key=lambda finding: CODES.index(finding.code))
    return Suspects(
        findings=tuple(ordered),
        left_out=left_out,
        features_s=round(features_s, 2),
        seconds=round(time.monotonic() - started, 2),
        data_hash=prepared.data_hash,
    )


def _label_errors(
    adapted: Adapted,
    prepared: Prepared,
    looked: Looked,
    features: np.ndarray,
    keys: np.ndarray,
    left_out: dict[str, str],
) -> list[Finding]:
    if prepared.kind != "one":
        several = "rows have several labels" if prepared.kind == "several" else "labels are numbers"
        left_out["label-error"] = several
        return []
    labels = np.concatenate([prepared.targets_of("train"), prepared.targets_of("validation")])
    names = prepared.labels
    judged = np.bincount(labels, minlength=len(names))[labels] >= FOLDS
    if not judged.any():
        left_out["label-error"] = f"no label has {FOLDS} rows"
        return []
    shares = out_of_sample(features, labels, len(names), keys, seed=adapted.recipe.seed)
    return label_errors(looked, doubts(shares, labels, judged), labels, names, shares)


def _truncated(adapted: Adapted, looked: Looked, left_out: dict[str, str]) -> list[Finding]:
    limit: Any = adapted.recipe.train.max_length
    if limit is None:
        left_out["truncated"] = "pictures are not cut"
        return []
    found = [
        truncation(
            adapted.reader, rows, adapted.backend.parts[part].inputs.lengths[: len(rows)], limit
        )
        for part, rows in zip(PARTS, looked.parts, strict=True)
    ]
    rows = np.concatenate([found[0].rows, found[1].rows + len(looked.parts[0])])
    lost = np.concatenate([each.lost for each in found])
    order = np.argsort(-lost, kind="stable")
    return truncated(
        looked,
        rows[order],
        lost[order],
        tokens=sum(each.tokens for each in found),
        limit=limit,
        longest=max(each.longest for each in found),
        readable=adapted.reader.longest_input or limit,
    )
