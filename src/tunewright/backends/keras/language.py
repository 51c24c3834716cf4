"""A causal language model being trained with Keras: it learns to write what stands in its rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from tunewright.backends.chats import IGNORE, ChatTokens
from tunewright.backends.inputs import sorted_batches
from tunewright.backends.keras.compiled import Batch, Compiled
from tunewright.backends.keras.model import Classifier
from tunewright.backends.keras.ports import Port
from tunewright.backends.keras.training import EVAL_TOKENS, KerasTraining
from tunewright.backends.settings import Part, StepSettings
from tunewright.train.passes import filled

PROVED_ROWS = 4


class CompiledLanguage(Compiled):
    """Graphs of a model that ends in states: the words of learned places alone are told."""

    def __init__(self, made: Classifier, settings: StepSettings) -> None:
        super().__init__(made, settings)
        tf = made.fw.tf
        states = tf.TensorSpec([None, None, None], made.spine.output.dtype)
        self._measure = tf.function(self._nats, input_signature=[states, *self.right_specs()])

    def right_specs(self) -> tuple[Any, ...]:
        """See `Compiled`: (row, token) of each place that foretells a learned token, and that."""
        tf = self.made.fw.tf
        return tf.TensorSpec([None, 2], tf.int64), tf.TensorSpec([None], tf.int64)

    def loss(self, answer: Any, right: Sequence[Any]) -> Any:
        """See `Compiled`: summed nats of learned tokens, from states."""
        return self.made.fw.tf.reduce_sum(self._nats(answer, *right)[0])

    def measure(self, states: np.ndarray, right: Sequence[np.ndarray]) -> tuple[Any, Any]:
        """float32 (P): nats that each target costs; bool (P): whether it had the highest score."""
        nats, told = self._measure(states, *right)
        return np.asarray(nats), np.asarray(told)

    def words(self, states: Any, places: Any) -> Any:
        """float32 (P, words): scores of every token at these places."""
        tf, table = self.made.fw.tf, self.made.head.last
        found = tf.gather_nd(states, places)
        weights = table.embeddings if table.tie_weights else table.reverse_embeddings
        weights = tf.cast(weights.value, found.dtype)
        return tf.cast(tf.matmul(found, weights, transpose_b=table.tie_weights), tf.float32)

    def _nats(self, states: Any, places: Any, targets: Any) -> tuple[Any, Any]:
        tf = self.made.fw.tf
        scores = self.words(states, places)
        nats = tf.nn.sparse_softmax_cross_entropy_with_logits(targets, scores)
        return nats, tf.equal(tf.argmax(scores, axis=1), targets)


class KerasLanguage(KerasTraining):
    """See `KerasTraining`. The loss is the mean over all learned tokens of a step.

    Args:
        save: writes a Transformers folder: to it, from these ports, proved by these rows and by
            the scores (P, words) at the places that foretell their learned tokens.
    """

    compiled: CompiledLanguage

    def __init__(
        self,
        made: Classifier,
        parts: Mapping[str, Part],
        settings: StepSettings,
        *,
        device_type: str,
        save: Callable[[Path, tuple[Port, ...], Batch, np.ndarray], None],
        news: str,
        parameters: int,
    ) -> None:
        super().__init__(
            made,
            CompiledLanguage(made, settings),
            parts,
            settings,
            device_type=device_type,
            news=news,
            parameters=parameters,
        )
        self._save = save

    def solve_head(self, blocks: int) -> None:
        """See `Backend`: the model has no new head."""

    def amount(self, rows: np.ndarray) -> int:
        """See `KerasTraining`: learned tokens."""
        return self.tokens("train").num_learned(rows)

    def right(self, rows: np.ndarray) -> Sequence[np.ndarray]:
        """See `KerasTraining`."""
        return places_of(self._batch("train", rows))

    def answers(self, part: str) -> np.ndarray:
        """float64 (rows, 3), as of `backends.torch.language`."""
        tokens = self.tokens(part)
        found = np.zeros((len(tokens), 3))
        for rows in sorted_batches(tokens.lengths, EVAL_TOKENS):
            batch = self._batch(part, rows)
            states = self.compiled.scores(batch, self.frozen.kept(part, rows))
            places, targets = places_of(batch)
            nats, right = self.compiled.measure(states, (places, targets))
            for column, each in enumerate((nats, np.ones(len(nats)), right)):
                found[rows, column] = np.bincount(places[:, 0], each, minlength=len(rows))
        return filled(found)

    def save_model(self, folder: Path) -> None:
        """See `Backend`. A Transformers folder."""
        self._save(folder, self.made.ports, *self.first_answers())

    def first_answers(self) -> tuple[Batch, np.ndarray]:
        """The first training rows, and the scores (P, words) where they are learned."""
        rows = np.arange(min(PROVED_ROWS, len(self.parts["train"].inputs)))
        batch = self._batch("train", rows)
        states = self.compiled.scores(batch)
        return batch, np.asarray(self.compiled.words(states, places_of(batch)[0]))

    def tokens(self, part: str) -> ChatTokens:
        """The rows of a part."""
        return cast("ChatTokens", self.parts[part].inputs)


def places_of(batch: Batch) -> tuple[np.ndarray, np.ndarray]:
    """int64 (P, 2): row and place of what foretells each learned token; int64 (P): that token."""
    places = np.argwhere(batch["labels"][:, 1:] != IGNORE)
    return places, batch["labels"][:, 1:][places[:, 0], places[:, 1]]
