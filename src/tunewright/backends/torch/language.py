"""A causal language model that learns to write what stands in its rows."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import numpy as np
import torch

from tunewright.backends.chat_reader import ChatReader
from tunewright.backends.chats import ChatTokens
from tunewright.backends.inputs import sorted_batches
from tunewright.backends.settings import Part, StepSettings
from tunewright.backends.torch import row_attention
from tunewright.backends.torch.cut import Batch
from tunewright.backends.torch.frozen import Frozen
from tunewright.backends.torch.grown import rows_of_tokens
from tunewright.backends.torch.language_calls import LanguageCalls
from tunewright.backends.torch.language_frozen import LanguageFrozen
from tunewright.backends.torch.load import Loaded
from tunewright.backends.torch.load_language import packed_arguments
from tunewright.backends.torch.merged_proof import (
    PROVED_PLACES,
    PROVED_ROWS,
    refuse_other_scores,
    scores_of_folder,
)
from tunewright.backends.torch.output import Output
from tunewright.backends.torch.packed_rows import PackedRows, pack
from tunewright.backends.torch.training import TorchTraining
from tunewright.backends.torch.writer import Writer
from tunewright.train.passes import filled

EXAMPLE_LENGTHS = (9, 4)


class TorchLanguage(TorchTraining):
    """See `TorchTraining`. The loss is the mean over all learned tokens of a step."""

    has_new_head = False
    adapters_for = "CAUSAL_LM"

    def __init__(
        self,
        loaded: Loaded,
        parts: Mapping[str, Part],
        settings: StepSettings,
        device: torch.device,
    ) -> None:
        calls = LanguageCalls(loaded, parts, device, self.pack, bf16=settings.bf16)
        self.output = Output(loaded.model)
        super().__init__(calls, loaded.news, settings)

    def solve_head(self, blocks: int) -> None:
        """See `Backend`: the model has no new head."""

    def amount(self, rows: np.ndarray) -> int:
        """See `TorchTraining`: learned tokens."""
        return self.tokens("train").num_learned(rows)

    def learn(self, rows: np.ndarray, amount: int) -> torch.Tensor:
        """See `TorchTraining`."""
        packed = self.pack("train", rows)
        states = self.states("train", rows, packed)
        with self.calls.precision():
            return self.output.learn(states, self.on_device(packed.targets), 1 / amount)

    def answers(self, part: str) -> np.ndarray:
        """float64 (rows, 3): nats of each row's learned tokens, how many they are, and how many
        of them had the highest score."""
        tokens = self.tokens(part)
        found = np.zeros((len(tokens), 3))
        with self.calls.inference():
            for rows in sorted_batches(tokens.lengths, self.eval_tokens):
                packed = self.pack(part, rows)
                nats, right = self.output.measure(
                    self.states(part, rows, packed), self.on_device(packed.targets)
                )
                ones = np.ones(len(nats))
                for column, each in enumerate((nats.cpu().numpy(), ones, right.cpu().numpy())):
                    found[rows, column] = np.bincount(
                        packed.owners, weights=each, minlength=len(rows)
                    )
        return filled(found)

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Within, the model as it is now writes answers; rows are padded there, not packed."""
        reader = cast("ChatReader", self.reader)
        with self.calls.inference():
            self.model.set_attn_implementation("sdpa")
            try:
                yield Writer(self.model, copy.deepcopy(reader.tokenizer))
            finally:
                self.model.set_attn_implementation(row_attention.NAME)

    def example(self) -> Batch:
        """See `TorchTraining`: two rows of a few tokens, as every row is called alike."""
        rows = [torch.arange(length) % self.model.config.vocab_size for length in EXAMPLE_LENGTHS]
        return {name: each.to(self.device) for name, each in packed_arguments(rows).items()}

    def save_model(self, folder: Path) -> None:
        """See `Backend`. Where an answer ends goes with the model, as it was learned."""
        reader = cast("ChatReader", self.reader)
        self.model.generation_config.eos_token_id = reader.stop_ids
        super().save_model(folder)
        if self.settings.adapters is not None:
            self.prove_saved(folder)

    def prove_saved(self, folder: Path) -> None:
        """Compare a saved folder with this model, on the shortest validation rows, if there are any.

        Raises:
            MergedOtherwiseError: see `refuse_other_scores`.
        """
        part = "validation" if len(self.parts["validation"].inputs.lengths) else "train"
        rows = np.argsort(self.parts[part].inputs.lengths, kind="stable")[:PROVED_ROWS]
        packed = self.pack(part, rows)
        some = slice(PROVED_PLACES)
        with self.calls.inference():
            states = self.states(part, rows, packed)
            adapted = self.output.scores(states[some])
        places = self.on_device(packed.places[some])
        batch = self.calls.batch(part, rows)
        merged = scores_of_folder(folder, batch, places, self.calls.precision())
        refuse_other_scores(adapted, merged, within=self.calls.bound)

    def new_rows(self) -> dict[str, list[int]] | None:
        """See `TorchTraining`."""
        return rows_of_tokens(self.model, cast("ChatReader", self.reader).new_tokens)

    def make_frozen(self) -> Frozen:
        """See `TorchTraining`."""
        return LanguageFrozen(
            self.calls, self.layout, self.settings.room, tokens_at_once=self.eval_tokens
        )

    # ---- how it is done

    def tokens(self, part: str) -> ChatTokens:
        """The rows of a part."""
        return cast("ChatTokens", self.parts[part].inputs)

    def pack(self, part: str, rows: np.ndarray) -> PackedRows:
        """Rows of a part, one after another."""
        return pack(self.tokens(part), rows)

    def states(self, part: str, rows: np.ndarray, packed: PackedRows) -> torch.Tensor:
        """(P, width): what the output layer reads where learned tokens are foretold."""
        with self.output.left_out():
            self.frozen.scores(part, rows)
        return self.output.states()[0, self.on_device(packed.places)]

    def call(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """See `TorchTraining`."""
        with self.output.left_out():
            self.calls.scores(part, rows)
        return self.output.states()

    def on_device(self, numbers: np.ndarray) -> torch.Tensor:
        """A tensor of these."""
        return torch.from_numpy(numbers).to(self.device)
