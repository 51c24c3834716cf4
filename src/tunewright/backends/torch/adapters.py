"""LoRA, rsLoRA and DoRA adapters, by the PEFT library, inside a model that keeps its class.

Every linear layer of the top blocks gets an adapter beside it. The adapters and the head learn,
nothing else does. Hu et al. 2021 (LoRA); Kalajdzievski 2023 (rsLoRA); Liu et al. 2024 (DoRA).
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from tunewright.backends.settings import AdapterSettings
from tunewright.backends.torch import four_bits
from tunewright.backends.torch.blocks import Layout
from tunewright.backends.torch.state import write_tensors
from tunewright.errors import ModelError

KINDS = {"lora": "LoRA", "rslora": "rsLoRA", "dora": "DoRA"}
NAME = "default"  # PEFT's word for an only adapter
KEY_PREFIX = "base_model.model."  # of every weight in PEFT's files


def put_adapters(
    model: nn.Module,
    layout: Layout,
    top: int,
    settings: AdapterSettings,
    *,
    task: str = "SEQ_CLS",
    tokens: Mapping[str, list[int]] | None = None,
) -> Layout:
    """Put adapters on the top blocks, in place; what they add is zero until they learn.

    Args:
        layout: of the model without adapters.
        top: number of blocks, counted from the head. task: in PEFT's words.
        tokens: name of a layer to those of its rows, one for each token, that learn too.
    Returns:
        the same layout, with the adapters as all that may learn below the head.
    Raises:
        ModelError: the blocks have no linear layers.
    """
    four_bits.hush()
    from peft import LoraConfig, inject_adapter_in_model

    targets = _linear_layers(model, layout.blocks[layout.num_blocks - top :])
    if not targets:
        raise ModelError(
            f"the blocks of {type(model).__name__} have no linear layers for adapters",
            fix="write adapt.method: full",
        )
    before = {id(parameter) for parameter in model.parameters()}
    config = LoraConfig(
        task_type=task,
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        use_rslora=settings.method == "rslora",
        use_dora=settings.method == "dora",
        target_modules=list(targets),
        trainable_token_indices=dict(tokens) if tokens else None,
        fan_in_fan_out=all(isinstance(layer, Conv1D) for layer in targets.values()),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings.seed)
        inject_adapter_in_model(config, model, NAME)
    added = {name: p for name, p in model.named_parameters() if id(p) not in before}
    in_block = tuple(_names_within(block, added) for block in layout.blocks)
    inside = {name for block in in_block for name in block}
    rows = tuple(name for name in added if name not in inside)
    return replace(layout, embeddings=rows, in_block=in_block)


def news(model: nn.Module, layout: Layout, settings: AdapterSettings) -> str:
    """One line that says what the adapters are."""
    names = {name for block in layout.in_block for name in block}
    count = sum(p.numel() for name, p in model.named_parameters() if name in names)
    blocks = sum(1 for block in layout.in_block if block)
    kind = KINDS[settings.method]
    return (
        f"{kind} adapters of rank {settings.rank} in {blocks} of {layout.num_blocks} blocks "
        f"({count:,} weights); the other weights stay as they are"
    )


@contextmanager
def merged(model: nn.Module) -> Iterator[None]:
    """Within, the model has plain layers with the adapters added to their weights.

    The adapted layers themselves are not touched: merging and taking back would round.
    """
    from peft.tuners.lora import LoraLayer
    from peft.utils.other import TrainableTokensWrapper

    places = [
        (parent, name, layer)
        for parent in model.modules()
        for name, layer in parent.named_children()
        if isinstance(layer, LoraLayer | TrainableTokensWrapper)
        or (four_bits.is_four_bit(layer) and not isinstance(parent, LoraLayer))
    ]
    tables: dict[int, nn.Parameter] = {}
    try:
        for parent, name, layer in places:
            is_table = isinstance(layer, TrainableTokensWrapper)
            plain = _merged_table(layer, tables) if is_table else _merged_layer(layer)
            setattr(parent, name, plain)
        with four_bits.unmarked(model):
            yield
    finally:
        for parent, name, layer in places:
            setattr(parent, name, layer)


def save_adapter(model: nn.Module, layout: Layout, folder: Path) -> None:
    """Write the adapters and the head as `PeftModel.from_pretrained(base_model, folder)` reads them."""
    from peft import get_peft_model_state_dict

    tensors = get_peft_model_state_dict(model, adapter_name=NAME, save_embedding_layers=False)
    tensors |= {name: p for name, p in model.named_parameters() if name in layout.head}
    folder.mkdir()
    write_tensors(
        folder / "adapter_model.safetensors",
        {KEY_PREFIX + name: tensor for name, tensor in tensors.items()},
    )
    configs: Any = model.peft_config  # put there by the injection
    config: dict[str, Any] = configs[NAME].to_dict()
    config |= {
        "modules_to_save": list(_modules_of(model, frozenset(layout.head))),
        "inference_mode": True,
        "target_modules": sorted(config["target_modules"]),
    }
    text = json.dumps(config, indent=2, sort_keys=True, default=str)
    (folder / "adapter_config.json").write_text(text + "\n", "utf-8")


def _linear_layers(model: nn.Module, blocks: Sequence[nn.Module]) -> dict[str, nn.Module]:
    """Name to layer; Conv1D is what GPT-2 and its like call a linear layer."""
    inside = {id(module) for block in blocks for module in block.modules()}
    return {
        name: module
        for name, module in model.named_modules()
        if id(module) in inside
        and (type(module) in (nn.Linear, Conv1D) or four_bits.is_four_bit(module))
    }


def _modules_of(module: nn.Module, names: frozenset[str], above: str = "") -> Iterator[str]:
    """Names of the largest modules that have these parameters and no others."""
    for name, child in module.named_children():
        place = f"{above}{name}"
        own = {f"{place}.{inner}" for inner, _ in child.named_parameters()}
        if own and own <= names:
            yield place
        elif own & names:
            yield from _modules_of(child, names, f"{place}.")


def _names_within(block: nn.Module, named: dict[str, nn.Parameter]) -> tuple[str, ...]:
    own = {id(parameter) for parameter in block.parameters()}
    return tuple(name for name, parameter in named.items() if id(parameter) in own)


def _merged_layer(layer: Any) -> nn.Module:
    if four_bits.is_four_bit(layer):
        return four_bits.plain(layer)
    if four_bits.is_four_bit(layer.get_base_layer()):
        whole = four_bits.plain(layer.get_base_layer())
        whole.weight.data += layer.get_delta_weight(NAME).detach().to(whole.weight)
        return whole
    alone = copy.deepcopy(layer)
    alone.merge()
    plain: nn.Module = alone.get_base_layer()
    return plain


def _merged_table(layer: Any, tables: dict[int, nn.Parameter]) -> nn.Module:
    """A table with its new rows. Layers that shared one share the merged one.

    Args:
        tables: id of a weight to the merged one, of layers that were asked for before.
    """
    base = layer.token_adapter.get_base_layer()
    plain: nn.Module = copy.copy(base)
    plain._parameters = dict(base._parameters)
    if id(base.weight) not in tables:
        merged = layer.token_adapter.get_merged_weights([NAME]).detach()
        tables[id(base.weight)] = nn.Parameter(merged, requires_grad=False)
    plain.weight = tables[id(base.weight)]
    return plain
