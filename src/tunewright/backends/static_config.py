"""The configuration of static embeddings, which Transformers reads like those that it knows."""

from __future__ import annotations

from typing import Any

from transformers import AutoConfig, PretrainedConfig

from tunewright.pretrained.static_embeddings import MODEL_TYPE


class StaticEmbeddingsConfig(PretrainedConfig):
    """How many tokens there are, and how wide their vectors."""

    model_type = MODEL_TYPE

    def __init__(self, vocab_size: int = 32_000, hidden_size: int = 256, **rest: Any) -> None:
        self.vocab_size = vocab_size
        self.hidden_size = hidden_size
        super().__init__(**rest)


AutoConfig.register(MODEL_TYPE, StaticEmbeddingsConfig, exist_ok=True)
