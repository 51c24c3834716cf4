"""A byte-level tokenizer.json in GGUF's words: tokens, their kinds, merges, special ids, template."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tunewright.errors import ModelError

NORMAL, CONTROL, USER_DEFINED, UNUSED = 1, 3, 4, 5  # llama.cpp's enum llama_token_type
_LLAMA3 = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}"
    r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)
_SPLITS = {_LLAMA3: "llama-bpe", _LLAMA3.replace("{1,3}", ""): "qwen2"}
"""Regular expression that cuts a text to llama.cpp's name of that way (src/llama-vocab.cpp)."""
_SPECIAL = ("bos", "eos", "unk", "pad")


@dataclass(frozen=True)
class Vocabulary:
    """What GGUF says of a tokenizer.

    Args:
        way: llama.cpp's name of how texts are cut before merging.
        kinds: of each token.
        special: bos, eos, unk and pad to their ids, as far as there are any.
        adds: bos and eos, whether a text gets one.
    """

    way: str
    tokens: list[str]
    kinds: list[int]
    merges: list[str]
    special: Mapping[str, int]
    adds: Mapping[str, bool]
    template: str | None

    def add_to(self, writer: Any) -> None:
        """Write it into a file that is being made."""
        writer.add_tokenizer_model("gpt2")
        writer.add_tokenizer_pre(self.way)
        writer.add_token_list(self.tokens)
        writer.add_token_types(self.kinds)
        writer.add_token_merges(self.merges)
        for name, number in self.special.items():
            getattr(writer, f"add_{name}_token_id")(number)
        writer.add_add_bos_token(self.adds["bos"])
        writer.add_add_eos_token(self.adds["eos"])
        writer.add_add_space_prefix(False)
        if self.template is not None:
            writer.add_chat_template(self.template)


def read_vocabulary(folder: Path, size: int) -> Vocabulary:
    """The tokenizer of a model folder.

    Args:
        size: rows of the embeddings; those that no token has are called [PAD…].
    Raises:
        ModelError: no tokenizer.json, or not a byte-level one that llama.cpp knows.
    """
    try:
        content = json.loads((folder / "tokenizer.json").read_text("utf-8"))
    except (OSError, ValueError):
        raise _unfit(folder, "there is no tokenizer.json that can be read") from None
    way = _way(folder, content)
    added = content.get("added_tokens") or []
    ids = dict(content["model"]["vocab"]) | {each["content"]: each["id"] for each in added}
    if max(ids.values()) >= size:
        raise _unfit(folder, f"it has more tokens than the model's {size:,} embeddings")
    tokens, kinds = [f"[PAD{number}]" for number in range(size)], [UNUSED] * size
    for token, number in ids.items():
        tokens[number], kinds[number] = token, NORMAL
    for each in added:
        kinds[each["id"]] = CONTROL if each["special"] else USER_DEFINED
    merges = [m if isinstance(m, str) else " ".join(m) for m in content["model"]["merges"]]
    settings = _settings(folder)
    special = {
        name: ids[token]
        for name in _SPECIAL
        if (token := _content(settings.get(f"{name}_token"))) in ids
    }
    return Vocabulary(
        way, tokens, kinds, merges, special, _adds(folder, special), _template(folder, settings)
    )


def _way(folder: Path, content: dict[str, Any]) -> str:
    if content["model"].get("type") != "BPE" or content["model"].get("byte_fallback"):
        raise _unfit(folder, "it is not a byte-level BPE")
    steps = content.get("pre_tokenizer") or {}
    parts = steps.get("pretokenizers", [steps])
    names = [part.get("type") for part in parts]
    normal = content.get("normalizer")
    cut = parts[-1]
    if names[-1:] != ["ByteLevel"] or cut.get("add_prefix_space"):
        raise _unfit(folder, "it is not a byte-level BPE without a space put before texts")
    found = None
    if names == ["ByteLevel"] and cut.get("use_regex", True):
        found = "gpt-2"
    elif names == ["Digits", "ByteLevel"] and parts[0].get("individual_digits"):
        found = "smollm"
    elif names == ["Split", "ByteLevel"]:
        found = _SPLITS.get(parts[0]["pattern"].get("Regex"))
    if found is None:
        raise _unfit(folder, "it cuts texts in a way that llama.cpp has no name for")
    if normal is not None and (normal.get("type") != "NFC" or found != "qwen2"):
        raise _unfit(folder, f"it changes texts before it cuts them ({normal.get('type')})")
    return found


def _adds(folder: Path, special: Mapping[str, int]) -> dict[str, bool]:
    """Whether a text gets a beginning and an end, seen on one."""
    from tokenizers import Tokenizer

    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode("a").ids
    return {"bos": ids[0] == special.get("bos"), "eos": ids[-1] == special.get("eos")}


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "tokenizer_config.json"
    return dict(json.loads(path.read_text("utf-8"))) if path.is_file() else {}


def _template(folder: Path, settings: dict[str, Any]) -> str | None:
    path = folder / "chat_template.jinja"
    if path.is_file():
        return path.read_bytes().decode("utf-8")
    template = settings.get("chat_template")
    return template if isinstance(template, str) else None


def _content(token: Any) -> Any:
    return token.get("content") if isinstance(token, dict) else token


def _unfit(folder: Path, because: str) -> ModelError:
    return ModelError(
        f"the tokenizer in {folder} cannot be written as gguf: {because}",
        fix="export to another form, or use the run's model folder as it is",
    )
