"""A folder of the Llama family as one GGUF file, as llama.cpp and its kin read it.

The names and facts are those of llama.cpp's convert_hf_to_gguf.py. Whether the file answers as the
folder does is not known here: `backends.torch.gguf_proof` tells.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from tunewright.errors import ModelError
from tunewright.export.gguf_tokenizer import read_vocabulary
from tunewright.export.tensors import Tensors
from tunewright.pretrained.folder import check_folder, read_licence
from tunewright.pretrained.gguf_header import require_gguf

Quantization = Literal["f16", "q8_0"]
QUANTIZATIONS: tuple[Quantization, ...] = ("f16", "q8_0")
ARCHITECTURES = {
    "LlamaForCausalLM": "llama",
    "MistralForCausalLM": "llama",
    "Qwen2ForCausalLM": "qwen2",
    "Qwen3ForCausalLM": "qwen3",
}
_OTHER_FIX = "export to another form, or use the run's model folder as it is"


@dataclass(frozen=True)
class _Written:
    """One tensor of the file: where it is from, what it is called there, how it is kept."""

    source: str
    name: str
    kind: Any
    heads: int | None  # rows are put in llama.cpp's order of rotary pairs


def write_gguf(
    folder: Path, out: Path, quantization: Quantization = "f16", *, name: str | None = None
) -> None:
    """Write a plain model folder (config.json, safetensors, tokenizer.json) as one file.

    Args:
        out: the file; its folder must be there.
        quantization: f16, or q8_0: blocks of 32 numbers of 8 bits under one scale. Norms and biases
            stay float32.
        name: what the file calls the model; the folder's name if there is none.
    Raises:
        ModelError: another architecture, positions that are scaled, or a tokenizer that GGUF has no
            words for.
    """
    require_gguf()
    from gguf import GGUFWriter

    checked = check_folder(folder)
    config = checked.config
    architecture = known_architecture(folder, config)
    tensors = Tensors(checked.weights)
    plan = _plan(tensors, config, architecture, quantization)
    writer = GGUFWriter(out, architecture)
    writer.add_name(name or folder.resolve().name)
    _add_facts(writer, folder, config, quantization)
    read_vocabulary(folder, int(config["vocab_size"])).add_to(writer)
    for each in plan:
        shape = _stored_shape(tensors.shape(each.source), each.kind)
        size, number = _size_of(shape, each.kind)
        writer.add_tensor_info(each.name, shape, number, size, each.kind)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for each in plan:
            writer.write_tensor_data(_stored(tensors[each.source], each))
    finally:
        writer.close()


def known_architecture(folder: Path, config: dict[str, Any]) -> str:
    """GGUF's name for what the folder holds.

    Raises:
        ModelError: not a causal language model of the family, or with parts GGUF does not tell.
    """
    name = str((config.get("architectures") or ["unknown"])[0])
    if name not in ARCHITECTURES:
        raise ModelError(
            f"{folder} holds a {name}; written as gguf are {', '.join(ARCHITECTURES)}",
            fix=_OTHER_FIX,
        )
    if config.get("hidden_act", "silu") != "silu":
        raise _no_words(folder, f"the activation {config['hidden_act']}")
    if _rotary(config)[1] != "default":
        raise _no_words(folder, f"scaled positions ({_rotary(config)[1]})")
    window = config.get("sliding_window") if config.get("use_sliding_window", True) else None
    if window and window < config["max_position_embeddings"]:
        raise _no_words(folder, f"a sliding window of {window} tokens")
    return ARCHITECTURES[name]


def _no_words(folder: Path, what: str) -> ModelError:
    return ModelError(f"the model in {folder} has {what}, not written as gguf here", fix=_OTHER_FIX)


def _rotary(config: dict[str, Any]) -> tuple[float, str]:
    """Base and kind of the rotary positions, in the words of Transformers 5 or 4."""
    said = config.get("rope_parameters") or config.get("rope_scaling") or {}
    base = said.get("rope_theta", config.get("rope_theta", 10000.0))
    return float(base), str(said.get("rope_type", said.get("type", "default")))


def _head_size(config: dict[str, Any]) -> int:
    return int(config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"])


def _add_facts(
    writer: Any, folder: Path, config: dict[str, Any], quantization: Quantization
) -> None:
    from gguf import GGML_QUANT_VERSION, LlamaFileType

    heads = int(config["num_attention_heads"])
    licence = read_licence(folder)
    if licence:
        writer.add_license(licence)
    kinds = {"f16": LlamaFileType.MOSTLY_F16, "q8_0": LlamaFileType.MOSTLY_Q8_0}
    writer.add_file_type(kinds[quantization])
    writer.add_quantization_version(GGML_QUANT_VERSION)
    writer.add_vocab_size(int(config["vocab_size"]))
    writer.add_context_length(int(config["max_position_embeddings"]))
    writer.add_embedding_length(int(config["hidden_size"]))
    writer.add_block_count(int(config["num_hidden_layers"]))
    writer.add_feed_forward_length(int(config["intermediate_size"]))
    writer.add_head_count(heads)
    writer.add_head_count_kv(int(config.get("num_key_value_heads") or heads))
    writer.add_layer_norm_rms_eps(float(config["rms_norm_eps"]))
    writer.add_rope_freq_base(_rotary(config)[0])
    size = _head_size(config)
    writer.add_rope_dimension_count(size)
    if size * heads != config["hidden_size"]:
        writer.add_key_length(size)
        writer.add_value_length(size)


def _plan(
    tensors: Tensors, config: dict[str, Any], architecture: str, quantization: Quantization
) -> list[_Written]:
    """What is written, in order; a head that is tied to the embeddings is not written twice."""
    from gguf import MODEL_ARCH, get_tensor_name_map

    names = get_tensor_name_map(MODEL_ARCH[architecture.upper()], config["num_hidden_layers"])
    heads = int(config["num_attention_heads"])
    permuted = {}
    if architecture == "llama":
        permuted = {"q_proj": heads, "k_proj": int(config.get("num_key_value_heads") or heads)}
    plan = []
    for source in tensors:
        if source == "lm_head.weight" and config.get("tie_word_embeddings"):
            continue
        name = names.get_name(source, try_suffixes=(".weight", ".bias"))
        if name is None:
            raise ModelError(f"GGUF has no name for the tensor {source}", fix=_OTHER_FIX)
        part = source.rsplit(".", 2)[-2]
        kind = _kind(tensors.shape(source), quantization)
        plan.append(_Written(source, name, kind, permuted.get(part)))
    return plan


def _kind(shape: tuple[int, ...], quantization: Quantization) -> Any:
    from gguf import GGML_QUANT_SIZES, GGMLQuantizationType

    if len(shape) < 2:
        return GGMLQuantizationType.F32
    kind = GGMLQuantizationType[quantization.upper()]
    per_block = GGML_QUANT_SIZES[kind][0]
    return kind if shape[-1] % per_block == 0 else GGMLQuantizationType.F16


def _stored_shape(shape: tuple[int, ...], kind: Any) -> tuple[int, ...]:
    """The shape in the file's own units: bytes where numbers lie in blocks."""
    from gguf.quants import quant_shape_to_byte_shape

    return quant_shape_to_byte_shape(shape, kind) if kind.name == "Q8_0" else shape


def _size_of(shape: tuple[int, ...], kind: Any) -> tuple[int, np.dtype]:
    number = np.dtype({"F32": np.float32, "F16": np.float16}.get(kind.name, np.uint8))
    return int(np.prod(shape)) * number.itemsize, number


def _stored(values: np.ndarray, each: _Written) -> np.ndarray:
    from gguf.quants import quantize

    if each.heads is not None:
        values = _paired(values, each.heads)
    with np.errstate(over="ignore"):
        found = quantize(np.ascontiguousarray(values), each.kind)
    if found.dtype != np.uint8 and not np.isfinite(found).all():
        raise ModelError(
            f"{each.source} holds numbers that are too large for float16, or none", fix=_OTHER_FIX
        )
    return found


def _paired(values: np.ndarray, heads: int) -> np.ndarray:
    """Rows of each head in llama.cpp's order: the two of a rotary pair side by side."""
    half = values.shape[0] // heads // 2
    split = values.reshape(heads, 2, half, *values.shape[1:])
    return split.swapaxes(1, 2).reshape(values.shape)
