"""Random models of two small blocks, a tokenizer of words, and rows that can be learned."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast
from transformers.utils import logging as transformers_logging

KEYWORDS = {
    "billing": ["invoice", "refund", "charge", "payment", "receipt", "tax"],
    "shipping": ["parcel", "courier", "delivery", "tracking", "late", "lost"],
    "technical": ["crash", "error", "login", "password", "screen", "update"],
}
FILLER = [
    "the",
    "a",
    "my",
    "your",
    "please",
    "help",
    "with",
    "about",
    "since",
    "today",
    "again",
    "still",
    "never",
    "because",
    "when",
    "after",
    "monday",
    "morning",
    "order",
    "account",
    "app",
    "site",
    "number",
    "first",
    "second",
    "new",
    "old",
    "very",
    "quite",
]
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "<|endoftext|>"]
VOCABULARY = SPECIAL + sorted({*FILLER, *(w for words in KEYWORDS.values() for w in words)})
SMALL: dict[str, Any] = {
    "vocab_size": len(VOCABULARY),
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "max_position_embeddings": 66,
    "pad_token_id": 0,
    "bos_token_id": 2,
    "eos_token_id": 3,
    "cls_token_id": 2,
    "sep_token_id": 3,
}

# name -> (number of blocks, changes to SMALL, None takes a key out)
ENCODERS: dict[str, dict[str, Any]] = {
    "bert": {},
    "roberta": {},
    "distilbert": {"dim": 32, "n_layers": 2, "n_heads": 2, "hidden_dim": 48},
    "albert": {"embedding_size": 16},
    "electra": {"embedding_size": 16},
    "deberta-v2": {
        "relative_attention": True,
        "position_buckets": 8,
        "pos_att_type": ["p2c", "c2p"],
        "share_att_key": True,
        "norm_rel_ebd": "layer_norm",
        "position_biased_input": False,
        "type_vocab_size": 0,
    },
    "mpnet": {},
    "modernbert": {"global_attn_every_n_layers": 2, "local_attention": 8},
    "xlm-roberta": {},
    "camembert": {},
    "ernie": {},
}
DECODERS: dict[str, dict[str, Any]] = {
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 66, "n_inner": 48},
    "llama": {"num_key_value_heads": 1},
    "qwen2": {"num_key_value_heads": 1},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 16},
    "mistral": {"num_key_value_heads": 1, "sliding_window": 8},
}
T5_LIKE: dict[str, Any] = {
    "d_model": 32,
    "d_kv": 16,
    "d_ff": 48,
    "num_layers": 2,
    "num_decoder_layers": 2,
    "num_heads": 2,
    "dropout_rate": 0.0,
    "decoder_start_token_id": 0,
}
BART_LIKE: dict[str, Any] = {
    "d_model": 32,
    **{f"{side}_layers": 2 for side in ("encoder", "decoder")},
    **{f"{side}_ffn_dim": 48 for side in ("encoder", "decoder")},
    **{f"{side}_attention_heads": 2 for side in ("encoder", "decoder")},
    "dropout": 0.0,
    "decoder_start_token_id": 0,
}
ENCODER_DECODERS: dict[str, dict[str, Any]] = {
    "t5": T5_LIKE,
    "mt5": T5_LIKE,
    "bart": BART_LIKE,
    "mbart": BART_LIKE,
}
ARCHITECTURES = {**ENCODERS, **DECODERS, "t5": T5_LIKE, "bart": BART_LIKE}


def text_rows(count: int, labels: int = 3, seed: int = 7) -> list[tuple[str, str]]:
    """(text, label); each text holds one or two words of its label among others."""
    draw = random.Random(seed)
    names = list(KEYWORDS)[:labels]
    rows: dict[str, str] = {}
    while len(rows) < count:
        label = names[len(rows) % labels]
        words = draw.sample(FILLER, draw.randint(4, 12)) + draw.sample(KEYWORDS[label], 2)
        draw.shuffle(words)
        rows[" ".join(words)] = label
    return list(rows.items())


def write_csv(path: Path, rows: list[tuple[str, str]], header: str = "text,label") -> Path:
    path.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n")
    return path


def write_tokenizer(folder: Path, *, decoder: bool = False, types: bool = False) -> None:
    """One token a word; encoders get [CLS] and [SEP], decoders nothing and no padding token."""
    numbers = {word: index for index, word in enumerate(VOCABULARY)}
    tokenizer = Tokenizer(models.WordLevel(numbers, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    names: dict[str, str] = {"unk_token": "[UNK]", "eos_token": "[SEP]"}
    if not decoder:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
        )
        names = {
            "unk_token": "[UNK]",
            "pad_token": "[PAD]",
            "cls_token": "[CLS]",
            "sep_token": "[SEP]",
            "mask_token": "[MASK]",
        }
    inputs = ["input_ids", "token_type_ids", "attention_mask"]
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=64,
        model_input_names=inputs if types else [inputs[0], inputs[2]],
        **names,
    )
    wrapped.save_pretrained(folder)


def write_byte_pairs(folder: Path) -> int:
    """The tokenizer that Qwen2 insists on: byte pairs, trained on the words; returns its size."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<|endoftext|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator((text for text, _ in text_rows(60)), trainer)
    wrapped = PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, model_max_length=64, eos_token="<|endoftext|>"
    )
    wrapped.save_pretrained(folder)
    return len(wrapped)


def write_model(folder: Path, name: str = "bert", **changes: Any) -> Path:
    """A folder as a hub would have it: a backbone without a head, and its tokenizer."""
    decoder = name in DECODERS
    if name == "qwen2":
        changes |= {"vocab_size": write_byte_pairs(folder)}
    config = AutoConfig.for_model(name, **{**SMALL, **ARCHITECTURES[name], **changes})
    if decoder:
        config.pad_token_id = None
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.disable_progress_bar()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = AutoModel.from_config(config)
        with torch.no_grad():  # wider than the usual 0.02, so that two blocks make a difference
            for parameter in model.parameters():
                if parameter.ndim > 1:
                    parameter.mul_(4.0)
    model.save_pretrained(folder)
    if bars:
        transformers_logging.enable_progress_bar()
    if name != "qwen2":
        has_types = name in ("bert", "ernie", "electra", "albert")
        write_tokenizer(folder, decoder=decoder, types=has_types)
    return folder
