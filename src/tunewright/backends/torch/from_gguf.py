"""A GGUF file becomes a plain model folder: `python -m tunewright.backends.torch.from_gguf FILE FOLDER`.

Run as a process of its own by `pretrained.gguf_files`: what it takes of memory goes with it.
"""

from __future__ import annotations

import os
import shutil
import sys
import tempfile
from contextlib import redirect_stderr
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import pre_tokenizers
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from tunewright.backends.folder import first_line, load_tokenizer, quiet
from tunewright.backends.torch.apart import convert_as_told
from tunewright.errors import ModelError
from tunewright.pretrained.gguf_header import Header, read_header
from tunewright.pretrained.weights import SINGLE

FOLDER_FIX = "take the model's safetensors folder instead, from where the GGUF file was made"
TEMPLATE = "tokenizer.chat_template"
_FINE = {"F32", "F16", "Q8_0", "Q6_K"}
_BY_DIGIT = {"smollm", "starcoder", "refact", "command-r", "codeshell", "exaone", "minerva-7b"}
"""Vocabularies whose texts are cut at each digit first (llama.cpp, src/llama-vocab.cpp)."""
_LIKE_GPT2 = {"gpt-2", "phi-2", "mpt", "olmo", "jais", "trillion", "granite-docling"}
_TEXTS = ("The capital of France is", " a  1, 23\n\n\tbé – ¿漢字?", "x = [12345]  # don't")


def convert(source: Path, into: Path) -> None:
    """Write config, weights, tokenizer and chat template of a GGUF file into a folder.

    The weights are bfloat16 where they came from 5 bits or fewer, else exact to float16.

    Raises:
        ModelError: not a GGUF, cut short, or of a kind that would not come out the same.
    """
    header = read_header(source)
    _refuse_scaled_positions(source, header)
    model, tokenizer = load_gguf(source)
    into.mkdir(exist_ok=True)
    with quiet():
        plain_copy(model, _storage(header.types)).save_pretrained(into, max_shard_size="100GB")
        tokenizer.save_pretrained(into)
    (into / SINGLE).chmod(0o644)  # safetensors gives it to its owner alone; a cache may be shared
    _prove(source, header, tokenizer, into)


def load_gguf(source: Path) -> tuple[Any, Any]:
    """A causal language model in float32 and its tokenizer, as Transformers reads a GGUF file.

    Raises:
        ModelError: Transformers does not know its kind, or finds tensors missing.
    """
    header = read_header(source)
    try:
        with (
            tempfile.TemporaryDirectory() as alone,
            quiet(),
            redirect_stderr(StringIO()),  # a progress bar that asks nobody
        ):
            config, model, missing, tokenizer = _loaded(source, Path(alone))
    except Exception as error:  # noqa: BLE001 - whatever a strange file makes it raise
        raise ModelError(
            f"Transformers cannot read {source} (architecture {header.architecture}): "
            f"{first_line(error)}",
            fix=FOLDER_FIX,
        ) from None
    if missing:
        raise ModelError(
            f"{source} lacks {len(missing)} tensors of its architecture, such as {min(missing)}",
            fix=FOLDER_FIX,
        )
    _split_as_trained(source, header, tokenizer)
    tokenizer.model_max_length = config.max_position_embeddings
    return model, tokenizer


def _loaded(source: Path, alone: Path) -> tuple[Any, Any, set[str], Any]:
    """Config, model, the names of parameters that the file does not have, and tokenizer."""
    where: dict[str, Any] = {"gguf_file": _place(source, alone)}
    config = AutoConfig.from_pretrained(alone, **where)
    models: Any = AutoModelForCausalLM
    model, news = models.from_pretrained(
        alone, config=config, dtype=torch.float32, output_loading_info=True, **where
    )
    return config, model, set(news["missing_keys"]), AutoTokenizer.from_pretrained(alone, **where)


def plain_copy(model: Any, dtype: torch.dtype) -> Any:
    """The model without a trace of the GGUF: Transformers saves none that it holds as quantised."""
    content = {key: _shortest(value) for key, value in model.config.to_dict().items()}
    for key in ("quantization_config", "_name_or_path", "_model_name_or_path"):
        content.pop(key, None)
    config = type(model.config).from_dict(content)
    config.dtype = dtype
    with torch.device("meta"):
        plain = AutoModelForCausalLM.from_config(config, dtype=dtype)
    state = {name: tensor.to(dtype) for name, tensor in model.state_dict().items()}
    plain.load_state_dict(state, assign=True)
    plain.tie_weights()
    return plain


def _shortest(value: Any) -> Any:
    """A number that GGUF held as float32, as it was written before: 1e-05, not 9.9999997e-06."""
    return float(str(np.float32(value))) if isinstance(value, float) else value


def _storage(types: set[str]) -> torch.dtype:
    if types == {"F32"}:
        return torch.float32
    return torch.float16 if types <= _FINE else torch.bfloat16


def _place(source: Path, alone: Path) -> str:
    """The file by itself in a folder: Transformers would believe a tokenizer.json that lies beside it."""
    try:
        os.symlink(source.resolve(), alone / "model.gguf")
    except OSError:
        shutil.copyfile(source, alone / "model.gguf")
    return "model.gguf"


def _split_as_trained(source: Path, header: Header, tokenizer: Any) -> None:
    """Transformers takes GPT-2's way to cut texts for any byte-level vocabulary that it does not know."""
    from transformers.integrations.gguf.gguf_tokenizer_mapping import GGUF_PRE_TOKENIZER_SPLITS

    way = header.facts.get("tokenizer.ggml.pre", "gpt-2")
    if header.facts.get("tokenizer.ggml.model") != "gpt2" or way in GGUF_PRE_TOKENIZER_SPLITS:
        return
    if way in _BY_DIGIT:
        by_digit = pre_tokenizers.Digits(individual_digits=True)
        by_byte = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence([by_digit, by_byte])
    elif way not in _LIKE_GPT2:
        raise ModelError(
            f"{source} cuts texts in a way that is not known here ({way})", fix=FOLDER_FIX
        )


def _refuse_scaled_positions(source: Path, header: Header) -> None:
    """Transformers leaves them out, and the model would answer almost, but not quite, as it should."""
    scaled = [name for name in header.tensors if name.startswith("rope_f")]
    kind = header.facts.get(f"{header.architecture}.rope.scaling.type", "none")
    if scaled or kind != "none":
        raise ModelError(
            f"{source} scales its positions ({', '.join(scaled) or kind}), which Transformers does "
            "not read from GGUF",
            fix=FOLDER_FIX,
        )


def _prove(source: Path, header: Header, tokenizer: Any, folder: Path) -> None:
    """The folder cuts texts as the file does, and holds the same template."""
    again = load_tokenizer(folder)
    if again.chat_template != header.facts.get(TEMPLATE):
        raise ModelError(f"the chat template of {source} did not survive", fix="report it")
    for text in _TEXTS:
        if again(text)["input_ids"] != tokenizer(text)["input_ids"]:
            raise ModelError(
                f"the tokenizer of {source} did not survive: {text!r}", fix="report it"
            )


if __name__ == "__main__":
    sys.exit(convert_as_told(convert, sys.argv[1:]))
