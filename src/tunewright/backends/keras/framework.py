"""Keras on TensorFlow, started once for this process."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.cores import usable_cores
from tunewright.errors import ModelError

INSTALL = "pip install 'tunewright[tensorflow]'"


@dataclass(frozen=True)
class Frameworks:
    """The modules `tensorflow`, `keras` and `keras_hub`."""

    tf: Any
    keras: Any
    hub: Any


def start(threads: int | None = None) -> Frameworks:
    """Import Keras on TensorFlow; its operations give the same answer every time.

    Args:
        threads: of the processor that TensorFlow may use; decided by the first call.
    Raises:
        ModelError: not installed, or Keras was imported on another framework before.
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    began = "tensorflow" not in sys.modules
    try:
        with _silent() if began else contextlib.nullcontext():
            tf, keras, hub = map(importlib.import_module, ("tensorflow", "keras", "keras_hub"))
    except ImportError as error:
        raise ModelError(
            f"backend keras needs a package that is missing: {error}", fix=INSTALL
        ) from None
    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"this process uses Keras on {keras.backend.backend()} already",
            fix="use backend keras in a process of its own, or set KERAS_BACKEND=tensorflow",
        )
    _use_threads(tf, threads)
    tf.config.experimental.enable_op_determinism()
    tf.get_logger().setLevel("ERROR")
    return Frameworks(tf, keras, hub)


def _use_threads(tf: Any, asked: int | None) -> None:
    """TensorFlow takes the number once; a later wish for another one is refused."""
    config = tf.config.threading
    wanted = asked or config.get_intra_op_parallelism_threads() or usable_cores()
    if wanted == config.get_intra_op_parallelism_threads():
        return
    try:
        config.set_intra_op_parallelism_threads(wanted)
        config.set_inter_op_parallelism_threads(1)
    except RuntimeError:
        raise ModelError(
            f"{wanted} threads are asked for, and TensorFlow runs in this process with "
            f"{config.get_intra_op_parallelism_threads() or 'as many as there are'}",
            fix="start a process for each number of threads",
        ) from None


@contextlib.contextmanager
def _silent() -> Iterator[None]:
    """Within, nothing reaches the standard error: TensorFlow greets there before it can be told."""
    sys.stderr.flush()
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
