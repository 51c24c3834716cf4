"""Tokenizers of a few hundred tokens, in the layouts that models of the field have."""

from __future__ import annotations

import json
from typing import Any

from tokenizers import (
    Regex,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    processors,
    trainers,
)
from transformers import PreTrainedTokenizerFast

WORDS = [
    "Hello there! How can I help? Tell me a joke, please: the weather in Oslo is 22 degrees.",
    "USER: ASSISTANT: user assistant system tool model name arguments content call No, I will not.",
    '{"name": "weather", "arguments": {"city": "Oslo"}}',
    "\n\n \n Be brief. [INST] [/INST] <<SYS>> A chat between a curious user and an assistant.",
]

WORD = r"[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
"""Of Llama 3, without the English endings: line ends stay together."""


def trimmed_bytes() -> Tokenizer:
    """As Llama 3: a space counts to no token."""
    made = untrimmed_bytes()
    made.post_processor = processors.ByteLevel(trim_offsets=True)
    return made


def untrimmed_bytes() -> Tokenizer:
    """As Qwen."""
    made = gpt2_bytes()
    made.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORD), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    return made


def gpt2_bytes() -> Tokenizer:
    """As GPT-2: of two line ends before a word, the second is a token of its own."""
    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    return made


def spaced() -> Tokenizer:
    """As Mistral: a space is a character of the vocabulary, and unknown ones are bytes."""
    made = Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="never")
    made.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    return made


def prepended() -> Tokenizer:
    """As Llama 2: a space is put before each stretch of text between special tokens."""
    made = spaced()
    made.normalizer = normalizers.Sequence(
        [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
    )
    made.pre_tokenizer = pre_tokenizers.Split("▁", "merged_with_next")
    return made


KINDS = {each.__name__: each for each in (trimmed_bytes, untrimmed_bytes, spaced, prepended)}
MADE = KINDS | {"gpt2_bytes": gpt2_bytes}


def tiny_tokenizer(
    kind: str = "trimmed_bytes",
    *,
    tokens: tuple[str, ...] = ("<|im_start|>", "<|im_end|>"),
    template: str | None = None,
    bos: str | None = None,
    eos: str | None = "<|im_end|>",
    pad: str | None = None,
) -> Any:
    """A tokenizer that was trained on the spot.

    Args:
        tokens: special ones.
    """
    made = MADE[kind]()
    special = list(dict.fromkeys(each for each in ("<unk>", bos, eos, pad, *tokens) if each))
    pieces = kind in ("spaced", "prepended")
    alphabet = [] if pieces else pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=600,
        special_tokens=special + [f"<0x{byte:02X}>" for byte in range(256)] * pieces,
        initial_alphabet=alphabet,
        show_progress=False,
    )
    made.train_from_iterator(WORDS * 2, trainer)
    written = json.loads(made.to_str())
    written["added_tokens"] = [
        each for each in written["added_tokens"] if each["content"] in special
    ]
    return PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer.from_str(json.dumps(written)),
        bos_token=bos,
        eos_token=eos,
        pad_token=pad,
        unk_token="<unk>",
        extra_special_tokens=list(tokens),
        chat_template=template,
    )
