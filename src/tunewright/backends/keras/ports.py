"""Where each weight of a Transformers model goes in a Keras model, and the way back.

KerasHub's converters say it by what they ask of their reader; no table of names is needed. The
reader here hands the weights over and writes down which went where, and how they were turned.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

WORD_SCORES = "lm_head.weight"  # a classifier has none, and some converters ask for it
Turn = Callable[[np.ndarray, list[int]], np.ndarray]


@dataclass(frozen=True)
class Port:
    """One variable, and the weight that it holds.

    Args:
        part: where in the variable's last axis, if it holds others too.
        key: the weight's name in Transformers.
        turn: makes the variable's shape of the weight's; None where they are the same.
        is_matrix: whether the weight has two dimensions or more there.
        added: what the converter added to the weight afterwards, or None.
    """

    variable: Any
    key: str
    turn: Turn | None
    is_matrix: bool
    added: np.ndarray | None = None
    part: slice = field(default_factory=lambda: slice(None))

    def now(self) -> np.ndarray:
        """The variable's numbers, of this weight alone."""
        found: np.ndarray = np.asarray(self.variable)[..., self.part]
        return found


class Reader:
    """Stands for KerasHub's reader of safetensors files.

    Args:
        weights: of the Transformers model, by their names there.
        words: whether the model predicts words.

    Attributes:
        unread: variables that are for words, where the model does not predict them.
    """

    def __init__(self, weights: Mapping[str, np.ndarray], *, words: bool = False) -> None:
        self.weights = weights
        self.words = words
        self.ports: list[Port] = []
        self.unread: list[Any] = []

    def get_tensor(self, hf_weight_key: str) -> np.ndarray:
        """The weight; converters may leave a prefix of its name out."""
        return self.weights[self._whole(hf_weight_key)]

    def port_weight(
        self, keras_variable: Any, hf_weight_key: str, hook_fn: Turn | None = None
    ) -> None:
        """Put a weight into a variable, and remember it."""
        if hf_weight_key == WORD_SCORES and not self.words:
            self.unread.append(keras_variable)
            return
        key = self._whole(hf_weight_key)
        port = Port(keras_variable, key, hook_fn, self.weights[key].ndim > 1)
        keras_variable.assign(turned(port, self.weights[port.key]))
        self.ports.append(port)

    def note_joined(self, keras_variable: Any, hf_weight_keys: Sequence[str]) -> None:
        """Remember that the converter joined linear layers, output by output, into one."""
        at = 0
        for key in map(self._whole, hf_weight_keys):
            weight = self.weights[key]
            part = slice(at, at + len(weight))
            at = part.stop
            self.ports.append(Port(keras_variable, key, _transposed, weight.ndim > 1, part=part))

    def done(self) -> tuple[Port, ...]:
        """Every port; a converter may have changed a variable after it was filled."""
        return tuple(replace(port, added=self._added(port)) for port in self.ports)

    def _added(self, port: Port) -> np.ndarray | None:
        more = port.now() - turned(port, self.weights[port.key])
        return more if more.any() else None

    def _whole(self, key: str) -> str:
        if key in self.weights:
            return key
        found = [name for name in self.weights if name.endswith(f".{key}")]
        if len(found) != 1:
            raise KeyError(key)
        return found[0]


def _transposed(weight: np.ndarray, _: list[int]) -> np.ndarray:
    return weight.T


def turned(port: Port, weight: np.ndarray) -> np.ndarray:
    """The weight in the variable's shape."""
    shape = list(port.variable.shape)
    return weight if port.turn is None else np.asarray(port.turn(weight, shape))


def weights_back(
    ports: tuple[Port, ...], weights: Mapping[str, np.ndarray]
) -> dict[str, np.ndarray]:
    """The weights by their names in Transformers, as the variables are now.

    What no variable holds (positions that are never used) stays as it was.

    Args:
        weights: those that were handed over.
    """
    found: dict[str, np.ndarray] = {}
    for port in ports:
        before = weights[port.key]
        places = turned(port, np.arange(before.size).reshape(before.shape))
        now = port.now().astype(before.dtype)
        after = found.get(port.key, before).copy().reshape(-1)
        after[places.reshape(-1)] = (now if port.added is None else now - port.added).reshape(-1)
        found[port.key] = after.reshape(before.shape)
    return found
