"""Linear layers in 4 bits (NF4), by bitsandbytes, below adapters that learn.

What adapters learn on is what 4 bits left of the weights; so that is what a saved model has, written
out in whole numbers again. Dettmers et al. 2023 (QLoRA).
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from torch import nn

from tunewright.errors import ModelError

INSTALL = "pip install 'tunewright[quantized]'"
PER_BYTE = 2  # weights


def config(kind: torch.dtype) -> Any:
    """For `from_pretrained`.

    Args:
        kind: of the products.
    Raises:
        ModelError: bitsandbytes is not installed.
    """
    from transformers import BitsAndBytesConfig

    if find_spec("bitsandbytes") is None:
        raise ModelError(
            "adapt.quantization 4bit needs a package that is missing: bitsandbytes", fix=INSTALL
        )
    make: Any = BitsAndBytesConfig
    return make(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=kind,
    )


def hush() -> None:
    """Let bitsandbytes, which PEFT imports where it is, not tell of kernels that it can do without."""
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)


def settle(model: nn.Module) -> None:
    """Have layers compute alike in training and in evaluation.

    On some processors bitsandbytes repacks them, and rounds, when they are first evaluated.
    """
    for layer in model.modules():
        if is_four_bit(layer):
            vars(layer)["support_avx512bf16_for_cpu"] = False


def is_four_bit(layer: nn.Module) -> bool:
    """Whether a layer's weights are in 4 bits."""
    return type(layer).__name__ == "Linear4bit" and not hasattr(layer, "base_layer")


def count_weights(model: nn.Module) -> int:
    """Of a model, each once; in a byte lie two of those in 4 bits."""
    return sum(
        p.numel() * (PER_BYTE if type(p).__name__ == "Params4bit" else 1)
        for p in model.parameters()
    )


def plain(layer: Any) -> nn.Linear:
    """The layer with the weights that its 4 bits stand for, in the memory of the processor."""
    from bitsandbytes.functional import dequantize_4bit

    found = dequantize_4bit(layer.weight.data, layer.weight.quant_state).cpu()
    whole = nn.Linear(layer.in_features, layer.out_features, bias=False, device="meta")
    whole.weight = nn.Parameter(found, requires_grad=False)
    if layer.bias is not None:
        whole.bias = nn.Parameter(layer.bias.detach().cpu(), requires_grad=False)
    return whole


@contextmanager
def unmarked(model: Any) -> Iterator[None]:
    """Within, nothing of the model says that weights are in 4 bits: it is written as any other."""
    marks = ("hf_quantizer", "quantization_method", "is_quantized", "is_loaded_in_4bit")
    kept = {name: vars(model).pop(name) for name in marks if name in vars(model)}
    quantization = vars(model.config).pop("quantization_config", None)
    try:
        yield
    finally:
        vars(model).update(kept)
        if quantization is not None:
            model.config.quantization_config = quantization
