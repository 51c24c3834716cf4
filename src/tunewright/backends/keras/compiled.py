"""The model's calls as TensorFlow graphs: each is traced once, for batches of any shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tunewright.backends.keras.model import Classifier, arguments, layers
from tunewright.backends.keras.optimizer import AdamW
from tunewright.backends.settings import StepSettings

Batch = Mapping[str, np.ndarray]


class Compiled:
    """The graphs of a model, and those of the present cut and phase.

    Attributes:
        traces: how many graphs were made, which stays the same whatever batches come.
    """

    def __init__(self, made: Classifier, settings: StepSettings) -> None:
        self.made = made
        self.settings = settings
        self.traces = 0
        self.blocks = made.num_blocks
        self._seeds = [
            generator
            for layer in layers(made.model)
            if (generator := getattr(layer, "seed_generator", None)) is not None
        ]
        self._whole = _Graphs(self, made.model, made.features)
        self._top = self._whole
        self._below: Any = None

    def cut(self, blocks: int) -> None:
        """Have the top `blocks` blocks and the head as a model of their own."""
        if blocks == self.blocks:
            return
        self.blocks = blocks
        if blocks >= self.made.num_blocks:
            self._below, self._top = None, self._whole
            return
        self._below = self.made.below(blocks)
        self._keep = self.graph(self._below)
        head = self.made.head
        self._top = _Graphs(
            self, self.made.above(blocks, head.scores), self.made.above(blocks, head.features)
        )

    def learn(self, optimizer: AdamW) -> None:
        """Graphs of a step that moves the optimizer's weights; what is frozen drops nothing."""
        tf = self.made.fw.tf
        values = [variable.value for variable in optimizer.variables]
        top = self._top.model

        def gradients(inputs: Any, right: Any, count: Any) -> Any:
            self.traces += 1
            with tf.GradientTape(watch_accessed_variables=False) as tape:
                tape.watch(values)
                loss = self.loss(top(inputs, training=True), right)
                mean = loss / count
            found = tape.gradient(mean, values, unconnected_gradients="zero")
            return loss, [tf.convert_to_tensor(each) for each in found]

        def apply(found: Any, rate: Any) -> Any:
            self.traces += 1
            return optimizer.apply(found, rate)

        scalar = tf.TensorSpec([], tf.float32)
        given = [_specs(tf, top), self.right_specs(), scalar]
        self._gradients = tf.function(gradients, input_signature=given)
        shapes = [tf.TensorSpec(value.shape, value.dtype) for value in values]
        self.apply = tf.function(apply, input_signature=[shapes, scalar])

    def gradients(
        self, batch: Batch, right: Sequence[np.ndarray], count: int, kept: Any
    ) -> tuple[Any, list[Any]]:
        """(summed loss, gradients of its share in a mean over `count`).

        Args:
            right: what `loss` takes beside the model's answer.
            kept: what the frozen blocks answer, None to compute it.
        """
        tf = self.made.fw.tf
        inputs = self._above(self._top.model, batch, kept)
        found: tuple[Any, list[Any]] = self._gradients(
            inputs, tuple(right), tf.constant(count, tf.float32)
        )
        return found

    def right_specs(self) -> tuple[Any, ...]:
        """Shapes of what `loss` takes beside the model's answer."""
        tf = self.made.fw.tf
        targets = {
            "one": tf.TensorSpec([None], tf.int64),
            "several": tf.TensorSpec([None, None], tf.float32),
            "number": tf.TensorSpec([None], tf.float32),
        }
        return targets[self.settings.kind], tf.TensorSpec([None], tf.float32)

    def keep(self, batch: Batch, *, one_vector: bool) -> np.ndarray:
        """(rows, tokens or 1, width): what enters the blocks that learn.

        Args:
            one_vector: of each row only the one that the head reads.
        """
        state = np.asarray(self._keep(arguments(self._below, batch)))
        if not one_vector:
            return state
        last = batch["attention_mask"].sum(1) - 1
        at = last if self.made.head.reads == "last" else np.zeros_like(last)
        vectors: np.ndarray = state[np.arange(len(state)), at][:, None]
        return vectors

    def scores(self, batch: Batch, kept: Any = None) -> np.ndarray:
        """(rows, labels), before softmax; from what is kept, if it is given."""
        if kept is None:
            return np.asarray(self._whole.scores(arguments(self._whole.model, batch)))
        return np.asarray(self._top.scores(self._above(self._top.model, batch, kept)))

    def features(self, batch: Batch, kept: Any = None) -> np.ndarray:
        """(rows, width): what enters the last layer."""
        if kept is None:
            return np.asarray(self._whole.features(arguments(self._whole.inner, batch)))
        return np.asarray(self._top.features(self._above(self._top.inner, batch, kept)))

    def seed(self, draw: int) -> None:
        """Decide every random draw until the next call."""
        for index, generator in enumerate(self._seeds):
            generator.state.assign(np.array([draw % 2**32, index], dtype=np.uint32))

    def graph(self, model: Any) -> Any:
        """A model as a graph that drops nothing."""

        def call(inputs: Any) -> Any:
            self.traces += 1
            return model(inputs, training=False)

        tf = self.made.fw.tf
        return tf.function(call, input_signature=[_specs(tf, model)])

    def _above(self, model: Any, batch: Batch, kept: Any) -> Any:
        if self._below is None:
            return arguments(model, batch)
        if kept is None:
            kept = self._keep(arguments(self._below, batch))
        ids = batch.get("input_ids")
        if ids is not None and kept.shape[1] != ids.shape[1]:  # one vector stands for a row
            batch = {name: np.ones((len(kept), 1), each.dtype) for name, each in batch.items()}
        return arguments(model, batch, kept)

    def loss(self, answer: Any, right: Sequence[Any]) -> Any:
        """Summed over rows, the same as `backends.torch.loss`.

        Args:
            answer: scores. right: what `Answers.learned` gives, and float (labels), the weight of
                each label in the loss.
        """
        targets, weights = right
        tf, smooth = self.made.fw.tf, self.settings.label_smoothing
        scores = tf.cast(answer, tf.float32)
        if self.settings.kind == "number":
            return tf.reduce_sum((scores[:, 0] - targets) ** 2)
        if self.settings.kind == "several":
            wanted = targets * (1 - smooth) + smooth / 2
            each = tf.nn.weighted_cross_entropy_with_logits(wanted, scores, weights)
            return tf.reduce_sum(tf.reduce_mean(each, axis=1))
        logs = tf.nn.log_softmax(scores)
        weighted = -logs * weights
        own = tf.gather(weighted, targets, axis=1, batch_dims=1)
        return tf.reduce_sum(own * (1 - smooth) + tf.reduce_mean(weighted, axis=1) * smooth)


class _Graphs:
    """A model that ends in scores, and the one within it that ends in features."""

    def __init__(self, compiled: Compiled, model: Any, inner: Any) -> None:
        self.model, self.inner = model, inner
        self.scores, self.features = compiled.graph(model), compiled.graph(inner)


def _specs(tf: Any, model: Any) -> list[Any]:
    return [tf.TensorSpec(each.shape, each.dtype) for each in model.inputs]
