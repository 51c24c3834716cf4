"""Proof that a saved language model says what the model with its adapters does."""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from tunewright.backends.folder import quiet
from tunewright.backends.torch import row_attention
from tunewright.backends.torch.cut import Batch, difference
from tunewright.backends.torch.output import Output
from tunewright.errors import MergedOtherwiseError

PROVED_ROWS = 4
PROVED_PLACES = 256


def scores_of_folder(
    folder: Path, batch: Batch, places: torch.Tensor, precision: AbstractContextManager[object]
) -> torch.Tensor:
    """float32 (P, V): what a saved folder says comes next, at some places of packed rows.

    Args:
        precision: of the products.
    """
    with quiet():
        automatic: Any = AutoModelForCausalLM
        saved = automatic.from_pretrained(folder, use_safetensors=True, trust_remote_code=False)
    saved.set_attn_implementation(row_attention.NAME)
    saved.to(places.device).eval()
    output = Output(saved)
    with torch.no_grad(), precision:
        with output.left_out():
            saved(**batch)
        return output.scores(output.states()[0, places])


def refuse_other_scores(adapted: torch.Tensor, merged: torch.Tensor, *, within: float) -> None:
    """Raise MergedOtherwiseError unless both are the same.

    Args:
        within: the share of the largest score by which they may differ.
    """
    apart = difference(adapted, merged)
    if not apart <= within:
        raise MergedOtherwiseError(
            f"with its adapters merged the model answers otherwise: scores on validation rows "
            f"differ by {apart:.2g} of the largest, and may by {within:g}",
            fix="the run's folder adapter/ has the adapters alone, for PEFT beside their base; or "
            "train with train.precision: fp32",
        )
