"""Static embeddings: a table of vectors, one for each token; a text is the mean of its tokens' vectors.

Transformers has no such model; `backends.torch.static_embeddings` has its few lines.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tunewright.durable import write_json
from tunewright.pretrained.weights import SINGLE

MODEL_TYPE = "static-embeddings"
TABLE = "words.weight"
_TOKENIZER = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "unk_token": "<unk>",
    "bos_token": "<s>",
    "eos_token": "</s>",
    "pad_token": "</s>",
}


def make_wordllama(source: Path, into: Path) -> None:
    """Fill a folder from WordLlama's table and the tokenizer that its package has for it.

    No token stands before a text: its vector would only be the same part of every mean.
    """
    from safetensors.numpy import load_file, save_file

    table = load_file(source)["embedding.weight"]
    save_file({TABLE: table}, into / SINGLE)
    (into / SINGLE).chmod(0o644)  # safetensors gives it to its owner alone; a cache may be shared
    vocabulary, width = table.shape
    write_json(
        into / "config.json",
        {"model_type": MODEL_TYPE, "vocab_size": vocabulary, "hidden_size": width},
    )
    kind = source.stem.rpartition("_")[0]
    path = source.parents[1] / "tokenizers" / f"{kind}_tokenizer_config.json"
    tokenizer: dict[str, Any] = json.loads(path.read_text("utf-8"))
    write_json(into / "tokenizer.json", tokenizer | {"post_processor": None})
    write_json(into / "tokenizer_config.json", _TOKENIZER)
