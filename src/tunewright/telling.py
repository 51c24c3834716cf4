"""What a run says of its stages, as events."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tunewright.backends.settings import Part
from tunewright.data.findings import Finding
from tunewright.data.prepare import Prepared
from tunewright.train.checkpoint import Checkpoints
from tunewright.train.events import Events


def tell_resumed(checkpoints: Checkpoints, saved: dict[str, Any] | None, events: Events) -> None:
    """Where training goes on, which checkpoints are damaged, and when none is left."""
    for broken in checkpoints.broken:
        events.emit("checkpoint_damaged", checkpoint=broken.name)
    if saved is not None:
        events.emit("resumed", step=saved["step"])
    elif checkpoints.broken:
        events.emit("begun_anew", reason="no checkpoint is whole")


def tell_augmented(part: Part, events: Events) -> None:
    """How many rows have views that differ from them."""
    if part.views > 1:
        events.emit("augmented", views=part.views, rows=part.rows, changed=part.changed)


def tell_prepared(prepared: Prepared, events: Events) -> None:
    """How many rows each part has, how they were split, and what was found in them."""
    events.emit(
        "prepared",
        rows=prepared.sizes,
        labels=len(prepared.labels),
        split_by=prepared.split_by,
        left_out=prepared.left_out,
        excluded=prepared.excluded,
        near_apart=prepared.near_apart,
        deviation=prepared.deviation,
        findings=told(prepared.findings.findings),
    )


def told(findings: Sequence[Finding]) -> list[dict[str, str]]:
    """Findings without their rows."""
    return [{"code": f.code, "severity": f.severity, "message": f.message} for f in findings]
