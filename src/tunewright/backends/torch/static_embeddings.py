"""A text as the mean of its tokens' vectors, with a linear head: the smallest model there is.

B batch, T time, W width.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AutoModel, AutoModelForSequenceClassification, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput, SequenceClassifierOutput

from tunewright.backends.static_config import StaticEmbeddingsConfig


class StaticEmbeddings(PreTrainedModel):
    """A table of vectors, one for each token."""

    config_class = StaticEmbeddingsConfig
    base_model_prefix = "table"

    def __init__(self, config: StaticEmbeddingsConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """See `PreTrainedModel`."""
        return self.words

    def forward(self, input_ids: torch.Tensor, **_: Any) -> BaseModelOutput:
        """Vectors (B, T, W) of int64 ids (B, T)."""
        return BaseModelOutput(self.words(input_ids))


class StaticEmbeddingsForSequenceClassification(PreTrainedModel):
    """The mean of a text's vectors under a linear layer."""

    config_class = StaticEmbeddingsConfig
    base_model_prefix = "table"

    def __init__(self, config: StaticEmbeddingsConfig) -> None:
        super().__init__(config)
        self.num_labels = int(config.num_labels or 0)
        self.table = StaticEmbeddings(config)
        self.classifier = nn.Linear(config.hidden_size, self.num_labels)
        self.post_init()

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: Any
    ) -> SequenceClassifierOutput:
        """Scores (B, labels) of ids and mask (B, T); the order of tokens makes no difference."""
        states_BTW = self.table(input_ids).last_hidden_state
        mask_BT = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        weights_BT1 = mask_BT.unsqueeze(-1).to(states_BTW.dtype)
        mean_BW = (states_BTW * weights_BT1).sum(1) / weights_BT1.sum(1)
        return SequenceClassifierOutput(logits=self.classifier(mean_BW))


AutoModel.register(StaticEmbeddingsConfig, StaticEmbeddings, exist_ok=True)
AutoModelForSequenceClassification.register(
    StaticEmbeddingsConfig, StaticEmbeddingsForSequenceClassification, exist_ok=True
)
