"""A folder as Transformers writes it: its tokenizer, its config, and how long its texts may be."""

from __future__ import annotations

import contextlib
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from transformers import AutoConfig, AutoTokenizer, PretrainedConfig
from transformers.utils import logging as transformers_logging

from tunewright.backends import static_config  # noqa: F401 - it makes itself known
from tunewright.errors import ModelError
from tunewright.pretrained.folder import PROCESSOR_FILE
from tunewright.pretrained.keras_files import MODEL_TYPE

UNBOUNDED = 1_000_000
WRITES = "smollm2"
"""The model of the catalog to name to whoever needs one that writes."""


def load_tokenizer(path: Path) -> Any:
    """The folder's tokenizer. Raises ModelError when it cannot be read."""
    with quiet():
        try:
            return AutoTokenizer.from_pretrained(path, trust_remote_code=False)
        except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
            raise ModelError(
                f"the tokenizer in {path} cannot be read: {first_line(error)}",
                fix="the folder needs the model's own tokenizer.json and tokenizer_config.json",
            ) from None


def read_config(path: Path) -> Any:
    """The folder's config.json. Raises ModelError when Transformers does not know the model."""
    try:
        content = json.loads((path / "config.json").read_text("utf-8"))
        if content.get("model_type") == MODEL_TYPE:
            return PretrainedConfig(**content)
        return AutoConfig.from_pretrained(path, trust_remote_code=False)
    except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
        raise ModelError(
            f"config.json in {path} cannot be used: {first_line(error)}",
            fix="it must be the config of a model that Transformers knows",
        ) from None


def longest_input(config: Any, tokenizer: Any) -> int:
    """Tokens that the model can read at once."""
    positions = getattr(config, "max_position_embeddings", None) or UNBOUNDED
    if config.model_type in ("roberta", "xlm-roberta", "camembert", "mpnet"):
        positions -= 2  # these keep two positions for padding
    limit = min(positions, getattr(tokenizer, "model_max_length", UNBOUNDED) or UNBOUNDED)
    return int(limit)


def refuse_readers(path: Path, config: Any, *, has_template: bool) -> None:
    """Raise ModelError where rows are to be written, and the folder's model reads and writes none.

    Args:
        has_template: for conversations, which a model that only reads is not published with.
    """
    from transformers.models.auto.modeling_auto import MODEL_FOR_MASKED_LM_MAPPING_NAMES as READERS

    made = tuple(getattr(config, "architectures", None) or ())
    writes = any(name.endswith(("ForCausalLM", "LMHeadModel")) for name in made)
    if made and not writes and not has_template and config.model_type in READERS:
        raise ModelError(
            f"the rows are answers to write, and the model {path.name} reads texts and writes none",
            fix=f"take a model that writes: --model {WRITES}, or --set model={WRITES}",
        )


def reads_pictures(path: Path) -> bool:
    """Whether a folder's model is given pictures: it has an image processor and no tokenizer."""
    return (path / PROCESSOR_FILE).is_file() and not (path / "tokenizer_config.json").is_file()


def note_trained_length(model: Any, tokens: int | None) -> None:
    """Write into the model's config where rows were cut in training, if they were."""
    if tokens is not None:
        model.config.trained_max_length = tokens


def trained_length(config: Any, longest: int | None) -> int | None:
    """Tokens at which rows were cut in training; without a note, all that the model can read."""
    return getattr(config, "trained_max_length", longest)


def first_line(error: Exception) -> str:
    """What a library says, cut to one line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Within, Transformers is silent about missing weights; `Loaded.news` says it in one line."""
    before = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity(logging.CRITICAL)
    transformers_logging.disable_progress_bar()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(before)
        if bars:
            transformers_logging.enable_progress_bar()
