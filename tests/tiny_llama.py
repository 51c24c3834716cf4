"""Random models of two blocks that write text, with a byte-level tokenizer and a chat template."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedTokenizerFast

SPECIAL = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
TEMPLATE = (
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>\\n' }}{% endfor %}– ✓"
)
PROMPTS = (
    "the parcel is late",
    "a  refund of 12, 5\n\n\tor – 漢字?",
    "<|im_start|>user\nhi<|im_end|>",
)
LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
BYTES = pre_tokenizers.ByteLevel(add_prefix_space=False)
UNCUT = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
WAYS: dict[str, Any] = {
    "gpt-2": BYTES,
    "smollm": pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True), BYTES]),
    "llama-bpe": pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA3), "isolated"), UNCUT]),
    "qwen2": pre_tokenizers.Sequence(
        [pre_tokenizers.Split(Regex(LLAMA3.replace("{1,3}", "")), "isolated"), UNCUT]
    ),
}
SMALL: dict[str, Any] = {
    "hidden_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "intermediate_size": 96,
    "max_position_embeddings": 128,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 2,
}


def write_llama(
    path: Path,
    kind: str = "llama",
    *,
    way: str = "smollm",
    dtype: torch.dtype = torch.bfloat16,
    **changes: Any,
) -> Path:
    """Save a model and its tokenizer.

    Args:
        kind: a model_type.
        way: how its tokenizer cuts texts, a key of WAYS.
        changes: to its configuration.
    """
    tokenizer = _tokenizer(way)
    torch.manual_seed(7)
    config = AutoConfig.for_model(kind, **SMALL | {"vocab_size": len(tokenizer) + 5} | changes)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.1)
    model.to(dtype).save_pretrained(path)
    tokenizer.save_pretrained(path)
    (path / "README.md").write_text("---\nlicense: apache-2.0\n---\n")
    return path


def _tokenizer(way: str) -> PreTrainedTokenizerFast:
    made = Tokenizer(models.BPE())
    made.pre_tokenizer, made.decoder = WAYS[way], decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, special_tokens=SPECIAL, initial_alphabet=alphabet, show_progress=False
    )
    made.train_from_iterator([*PROMPTS, "the parcel is late again, please refund 12"] * 4, trainer)
    made.add_tokens(["<think>"])
    special = {"unk_token": SPECIAL[0], "bos_token": SPECIAL[1], "eos_token": SPECIAL[2]}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, chat_template=TEMPLATE, pad_token=SPECIAL[2], **special
    )
