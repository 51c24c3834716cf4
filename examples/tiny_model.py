"""Write a tiny BERT with random weights, to try every command in seconds and without a network.

    python examples/tiny_model.py tiny-model
    tunewright run examples/tickets.csv --model ./tiny-model

It knows nothing, so its scores mean nothing.
"""

from __future__ import annotations

import string
import sys
from pathlib import Path

WIDTH, BLOCKS, HEADS, POSITIONS = 32, 2, 2, 64
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def write_tiny_model(folder: str | Path, *, seed: int = 0) -> Path:
    """The folder, as `save_pretrained` writes it: config, safetensors weights, tokenizer.

    Args:
        seed: of the weights.
    """
    import torch
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

    letters = string.ascii_lowercase + string.digits + ".,!?'"
    words = [*SPECIAL, *letters, *(f"##{letter}" for letter in letters)]
    numbers = {word: number for number, word in enumerate(words)}
    tokenizer = Tokenizer(models.WordPiece(numbers, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", numbers["[CLS]"]), ("[SEP]", numbers["[SEP]"])],
    )
    config = BertConfig(
        vocab_size=len(words),
        hidden_size=WIDTH,
        num_hidden_layers=BLOCKS,
        num_attention_heads=HEADS,
        intermediate_size=2 * WIDTH,
        max_position_embeddings=POSITIONS,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        BertModel(config).save_pretrained(folder)
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=POSITIONS,
        pad_token="[PAD]",  # noqa: S106
        unk_token="[UNK]",  # noqa: S106
        cls_token="[CLS]",  # noqa: S106
        sep_token="[SEP]",  # noqa: S106
        mask_token="[MASK]",  # noqa: S106
    ).save_pretrained(folder)
    return Path(folder)


if __name__ == "__main__":
    sys.stdout.write(f"{write_tiny_model(sys.argv[1] if len(sys.argv) > 1 else 'tiny-model')}\n")
