"""In bf16 on a processor batches have few lengths: padding that changes no score."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training import open_backend, phase
from tunewright.backends.torch.calls import EVEN_BF16

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.mark.parametrize("second", [False, True])
def test_more_padding_changes_no_score(tiny_bert: Path, second: bool) -> None:
    backend = open_backend(tiny_bert, precision="bf16", second=second)
    assert backend.settings.bf16
    calls = backend.calls
    odd = next(
        rows
        for rows in np.arange(48).reshape(-1, 4)
        if backend.parts["train"].inputs.lengths[rows].max() % EVEN_BF16
    )
    with calls.inference():
        even = calls.scores("train", odd)
        assert calls.batch("train", odd)["input_ids"].shape[1] % EVEN_BF16 == 0
        calls.even = 1
        plain = calls.scores("train", odd)
    torch.testing.assert_close(even, plain, atol=calls.bound, rtol=calls.bound)


def test_what_is_kept_is_as_long_as_what_it_stands_for(tiny_bert: Path) -> None:
    backend = open_backend(tiny_bert, precision="bf16")
    backend.start_phase(phase(1), keep=True)
    for rows in np.arange(48).reshape(-1, 4):
        arguments = backend.calls.batch("train", rows)["input_ids"]
        assert backend.frozen.kept("train", rows).shape[:2] == arguments.shape


def test_no_batch_is_longer_than_the_model_reads(tiny_bert: Path) -> None:
    calls = open_backend(tiny_bert, precision="bf16").calls
    longest = calls.reader.longest_input
    assert calls.more(longest) == 0
    assert calls.more(longest - 1) <= 1
    assert open_backend(tiny_bert).calls.more(13) == 0  # in fp32 every length is taken
