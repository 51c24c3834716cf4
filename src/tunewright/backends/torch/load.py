"""A pre-trained folder as a model with a new head, ready to train."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import AutoConfig, PreTrainedModel

from tunewright.backends.answers import PROBLEMS
from tunewright.backends.folder import first_line, quiet
from tunewright.backends.inputs import Reader
from tunewright.backends.pictures import PictureReader
from tunewright.backends.tokens import TextReader
from tunewright.backends.torch.automatic import classifiers
from tunewright.backends.torch.mapped import MappedWeights
from tunewright.backends.torch.mean_block import put_mean_block
from tunewright.errors import ModelError
from tunewright.recipe.schema import Kind

ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout", "attn_pdrop")


@dataclass(frozen=True)
class Loaded:
    """A model, what reads its rows, and the names of the weights that the folder did not have.

    mapped: where the others lie, None in ordinary memory. tokens: that are new. mean: whether a
    block is new that gives the head the mean of all tokens.
    """

    model: PreTrainedModel
    reader: Reader
    new: tuple[str, ...]
    mapped: MappedWeights | None
    tokens: tuple[str, ...] = ()
    mean: bool = False

    @property
    def known_tokens(self) -> int:
        """Tokens that the model has an embedding for; none of a model of pictures."""
        if isinstance(self.reader, PictureReader):
            return 0
        table: Any = self.model.get_input_embeddings()
        return int(table.num_embeddings)

    @property
    def news(self) -> str:
        """One line that says what is new and why."""
        if self.tokens:
            return (
                f"new: the tokens {', '.join(self.tokens)}, each the mean of the pieces that it was"
            )
        if not self.new:
            return "every weight comes from the folder"
        count = sum(p.numel() for n, p in self.model.named_parameters() if n in set(self.new))
        names = "a block that gives the mean of all tokens" if self.mean else ", ".join(self.new)
        return f"new: {names} ({count:,} weights), the head for these labels"


def load_classifier(
    path: Path,
    labels: Sequence[str],
    kind: Kind,
    reader: Reader,
    *,
    seed: int,
    attention_dropout: bool,
    mapped: MappedWeights | None,
    mean: bool = False,
) -> Loaded:
    """The folder's weights under a classification head with one output per label.

    Args:
        seed: of the new weights.
        attention_dropout: keep the config's dropout of attention weights; without it the
            faster attention kernels can be used.
        mapped: the folder's weights, None to read them into ordinary memory.
        mean: put a block on top that gives the head the mean of all tokens.
    Raises:
        ModelError: not a model that can classify, or a damaged folder.
    """
    names = dict(enumerate(labels))
    with quiet():
        try:
            config = config_of(path, attention_dropout=attention_dropout)
            config.num_labels = len(labels)
            config.id2label = names
            config.label2id = {label: index for index, label in names.items()}
            config.problem_type = PROBLEMS[kind]
            if isinstance(reader, TextReader):
                config.pad_token_id = reader.padding
            if mean:
                config.num_hidden_layers += 1
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                model, report = _with_weights(path, config, reader, mapped)
            if mean:
                put_mean_block(model)
        except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
            raise ModelError(
                f"the model in {path} cannot be loaded: {first_line(error)}",
                fix="it must be a Transformers model that can classify such rows",
            ) from None
    new = sorted(
        {*report["missing_keys"], *(entry[0] for entry in report.get("mismatched_keys", ()))}
    )
    refuse_hollow(path, model, new)
    return Loaded(model, reader, tuple(new), mapped, mean=mean)


def config_of(path: Path, *, attention_dropout: bool) -> Any:
    """A folder's configuration, for training."""
    config = AutoConfig.from_pretrained(path, trust_remote_code=False)
    if not attention_dropout:
        for name in ATTENTION_DROPOUTS:
            if hasattr(config, name):
                setattr(config, name, 0.0)
    config.use_cache = False
    return config


def _with_weights(
    path: Path, config: Any, reader: Reader, mapped: MappedWeights | None
) -> tuple[Any, Any]:
    """The model, and what Transformers says of its weights."""
    wanted: dict[str, Any] = {
        "config": config,
        "dtype": torch.float32,
        "trust_remote_code": False,
        "output_loading_info": True,
        "ignore_mismatched_sizes": True,
    }
    automatic = classifiers(of_pictures=isinstance(reader, PictureReader))
    if mapped is None:
        found: tuple[Any, Any] = automatic.from_pretrained(path, use_safetensors=True, **wanted)
        return found
    with torch.device("meta"):  # only the class itself takes weights without their folder
        kind: Any = type(automatic.from_config(config))
    found = kind.from_pretrained(None, state_dict=mapped.named, **wanted)
    return found


def refuse_hollow(path: Path, model: nn.Module, new: Sequence[str]) -> None:
    """Raise ModelError when most weights are missing: the files are of another architecture."""
    missing = set(new)
    total = sum(p.numel() for p in model.parameters())
    fresh = sum(p.numel() for n, p in model.named_parameters() if n in missing)
    if fresh > 0.5 * total:
        raise ModelError(
            f"the weights in {path} do not fit its config.json: {fresh:,} of {total:,} are missing",
            fix="take config.json and model.safetensors from the same model",
        )
