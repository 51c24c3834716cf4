"""Tiny random models as Transformers folders with real tokenizers, and as KerasHub presets of these."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import sentencepiece
from safetensors.numpy import load_file, save_file
from tokenizers import ByteLevelBPETokenizer

from picture_models import write_picture_model
from tiny_models import text_rows, write_model
from tunewright.backends.keras.framework import start

TEXTS = [
    *(text for text, _ in text_rows(6)),
    "The invoice, of 12.50 EUR: why?",
    "RE-sent it's (twice)\tand  again",
    "naïve café",
    "\u65e5\u672c",
    "",
]
CLASSES = {
    "bert": ("BertBackbone", "BertTokenizer"),
    "distilbert": ("DistilBertBackbone", "DistilBertTokenizer"),
    "roberta": ("RobertaBackbone", "RobertaTokenizer"),
    "xlm-roberta": ("XLMRobertaBackbone", "XLMRobertaTokenizer"),
}
CONVERTERS = {"vit": "ViTImageConverter", "deit": "DeiTImageConverter"}
PADDED = {"pad_token_id": 1, "bos_token_id": 0, "eos_token_id": 2, "type_vocab_size": 1}
CHANGES: dict[str, dict[str, Any]] = {
    "bert": {"hidden_act": "gelu_pytorch_tanh", "layer_norm_eps": 1e-12},
    "distilbert": {},
    "roberta": {**PADDED, "layer_norm_eps": 1e-5},
    "xlm-roberta": {**PADDED, "layer_norm_eps": 1e-5},
}


def write_texts_model(folder: Path, name: str) -> Path:
    """A Transformers folder, with the tokenizer of that architecture."""
    (tokenizer := folder.with_name(f"{folder.name}-tokenizer")).mkdir(parents=True)
    size = TOKENIZERS[name](tokenizer)
    write_model(folder, name, vocab_size=size, **CHANGES[name])
    for file in folder.glob("tokenizer*"):
        file.unlink()
    for file in tokenizer.iterdir():
        file.rename(folder / file.name)
    return _as_published(folder, name.replace("xlm-", ""))


def write_preset(source: Path, name: str, folder: Path) -> Path:
    """What KerasHub makes of a Transformers folder."""
    hub = start(1).hub
    if name in CLASSES:
        backbone, tokenizer = CLASSES[name]
        getattr(hub.models, backbone).from_preset(str(source)).save_to_preset(str(folder))
        getattr(hub.tokenizers, tokenizer).from_preset(str(source)).save_to_preset(str(folder))
    else:
        hub.models.Backbone.from_preset(str(source)).save_to_preset(str(folder))
        getattr(hub.layers, CONVERTERS[name])(
            image_size=(16, 16),
            scale=1 / 127.5,
            offset=-1.0,
            crop_to_aspect_ratio=False,
            interpolation="bicubic",
        ).save_to_preset(str(folder))
    return folder


def write_pictures_model(folder: Path, name: str) -> Path:
    """A Transformers folder with the epsilon that KerasHub has."""
    write_picture_model(folder, name)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "layer_norm_eps": 1e-6}))
    return _as_published(folder, name)


def words() -> list[str]:
    return sorted({word for text, _ in text_rows(60) for word in text.split()})


def _as_published(folder: Path, prefix: str) -> Path:
    """KerasHub asks for weights by the names that a model with a head has."""
    path = folder / "model.safetensors"
    weights = {f"{prefix}.{name}": array for name, array in load_file(path).items()}
    if prefix == "roberta":  # the published ones have one type that adds nothing; KerasHub has none
        weights["roberta.embeddings.token_type_embeddings.weight"][:] = 0
    save_file(weights, path, {"format": "pt"})
    return folder


def _word_pieces(folder: Path) -> int:
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,:?()'-"
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters]
    pieces += [*(f"##{letter}" for letter in letters), *words()]
    pieces = list(dict.fromkeys(pieces))
    (folder / "vocab.txt").write_text("\n".join(pieces) + "\n")
    content = {"tokenizer_class": "BertTokenizer", "do_lower_case": True, "strip_accents": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    return len(pieces)


def _byte_pairs(folder: Path) -> int:
    tokenizer = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    tokenizer.train_from_iterator(
        (text for text, _ in text_rows(60)), 400, special_tokens=special, show_progress=False
    )
    tokenizer.save_model(str(folder))
    content = {"tokenizer_class": "RobertaTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    return tokenizer.get_vocab_size()


def _sentence_pieces(folder: Path) -> int:
    def texts() -> Iterator[str]:
        return (text for text, _ in text_rows(60))

    with (folder / "sentencepiece.bpe.model").open("wb") as file:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=texts(), model_writer=file, vocab_size=80, minloglevel=2
        )
    content = {"tokenizer_class": "XLMRobertaTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(content))
    return 80 + 2


TOKENIZERS = {
    "bert": _word_pieces,
    "distilbert": _word_pieces,
    "roberta": _byte_pairs,
    "xlm-roberta": _sentence_pieces,
}
