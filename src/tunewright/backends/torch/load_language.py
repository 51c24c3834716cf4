"""A pre-trained folder as a causal language model, ready to train on rows that are packed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM

from tunewright.backends.chat_reader import ChatReader
from tunewright.backends.folder import WRITES, first_line, quiet
from tunewright.backends.torch import four_bits, row_attention
from tunewright.backends.torch.grown import grow_tables
from tunewright.backends.torch.load import Loaded, config_of, refuse_hollow
from tunewright.backends.torch.output import Output
from tunewright.errors import ModelError

PROVED_LENGTHS = (7, 1, 12)


def load_language(
    path: Path,
    reader: ChatReader,
    *,
    seed: int,
    attention_dropout: bool,
    kind: torch.dtype,
    quantization: str = "none",
) -> Loaded:
    """The folder's weights as a model that foretells tokens.

    Args:
        kind: of the weights in memory.
        quantization: 4bit, for linear layers; they come where the device is.
    Raises:
        ModelError: not a causal language model, quantised weights, or a damaged folder.
    """
    with quiet():
        try:
            config = config_of(path, attention_dropout=attention_dropout)
            _refuse_quantised(path, config)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                automatic: Any = AutoModelForCausalLM
                model, report = automatic.from_pretrained(
                    path,
                    config=config,
                    dtype=kind,
                    quantization_config=None if quantization == "none" else four_bits.config(kind),
                    use_safetensors=True,
                    trust_remote_code=False,
                    output_loading_info=True,
                )
        except ModelError:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
            raise ModelError(
                f"the model in {path} cannot be loaded: {first_line(error)}",
                fix="it must be a causal language model of Transformers",
            ) from None
    new = sorted(report["missing_keys"])
    refuse_hollow(path, model, new)
    if new:
        raise ModelError(
            f"{path} has no weights for {', '.join(new[:4])}: it cannot write texts as it is",
            fix=f"take a causal language model with all of its weights, such as --model {WRITES}",
        )
    four_bits.settle(model)
    grow_tables(model, reader.new_tokens)
    # no row is padded: the token that pads elsewhere, often the one that ends an answer, learns too
    model.get_input_embeddings().padding_idx = None
    return Loaded(model, reader, (), None, tuple(each.text for each in reader.new_tokens))


def let_rows_be_packed(model: torch.nn.Module, *, bound: float) -> None:
    """Have each row of a packed call see itself alone, and prove it on a few.

    Args:
        bound: of the share by which states may differ from those of calls with one row.
    Raises:
        ModelError: they differ, or the model is not called in this way.
    """
    owner: Any = model
    model.eval()
    rows = [torch.arange(length) % owner.config.vocab_size for length in PROVED_LENGTHS]
    with torch.no_grad():
        alone = torch.cat([_states(model, {"input_ids": row[None]}) for row in rows], dim=1)
        try:
            owner.set_attn_implementation(row_attention.NAME)
            packed = _states(model, packed_arguments(rows))
            apart = float((packed - alone).abs().max() / alone.abs().max())
        except Exception as error:  # noqa: BLE001 - whatever a model of another make raises
            raise _cannot_pack(model, first_line(error)) from None
    if not apart <= bound:
        raise _cannot_pack(model, f"states differ by {apart:.2g}")


def _cannot_pack(model: torch.nn.Module, why: str) -> ModelError:
    return ModelError(
        f"rows cannot be packed for {type(model).__name__}: {why}",
        fix="choose a decoder such as Llama, Mistral, Qwen, Gemma or SmolLM",
    )


def packed_arguments(rows: list[torch.Tensor]) -> dict[str, torch.Tensor]:
    """A model's arguments for rows one after another."""
    lengths = [len(row) for row in rows]
    return {
        "input_ids": torch.cat(rows)[None],
        "position_ids": torch.cat([torch.arange(length) for length in lengths])[None],
        row_attention.SPANS: torch.tensor([[length, 0, 0] for length in lengths]),
    }


def _states(model: torch.nn.Module, arguments: dict[str, torch.Tensor]) -> torch.Tensor:
    """(1, tokens, width): what the output layer is given."""
    output = Output(model)
    device = next(model.parameters()).device
    with output.left_out():
        model(**{name: each.to(device) for name, each in arguments.items()})
    return output.states()


def _refuse_quantised(path: Path, config: Any) -> None:
    if getattr(config, "quantization_config", None):
        raise ModelError(
            f"the weights in {path} are quantised, and cannot be trained as they are",
            fix="choose the folder of the model before it was quantised",
        )
