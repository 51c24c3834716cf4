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
    """A table of vectors, of which the mean over a text is taken."""

    config_class = StaticEmbeddingsConfig
    base_model_prefix = "table"

    def __init__(self, config: StaticEmbeddingsConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(config.vocab_size, config.hidden_size)
        self.post_init()

    def get_input_embeddings(self) -> nn.Embedding:
        """See `PreTrainedModel`."""
        return self.words

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor | None = None, **_: Any
    ) -> BaseModelOutput:
        """(B, W) of int64 ids (B, T) and their mask; the order of the tokens makes no difference."""
        states_BTW = self.words(input_ids)
        mask_BT = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        weights_BT1 = mask_BT.unsqueeze(-1).to(states_BTW.dtype)
        return BaseModelOutput((states_BTW * weights_BT1).sum(1) / weights_BT1.sum(1))


class StaticEmbeddingsForSequenceClassification(PreTrainedModel):
    """The mean under a linear layer."""

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
        """Scores (B, labels)."""
        mean_BW = self.table(input_ids, attention_mask).last_hidden_state
        return SequenceClassifierOutput(logits=self.classifier(mean_BW))


AutoModel.register(StaticEmbeddingsConfig, StaticEmbeddings, exist_ok=True)
AutoModelForSequenceClassification.register(
    StaticEmbeddingsConfig, StaticEmbeddingsForSequenceClassification, exist_ok=True
)
