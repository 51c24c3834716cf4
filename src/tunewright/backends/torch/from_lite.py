"""EfficientNet-Lite becomes a model folder: `python -m tunewright.backends.torch.from_lite FILE FOLDER`.

Run as a process of its own by `pretrained.efficientnet_lite`.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

import torch
from transformers import EfficientNetConfig, EfficientNetModel

from tunewright.backends.folder import first_line, quiet
from tunewright.backends.torch.apart import convert_as_told
from tunewright.errors import ModelError
from tunewright.pretrained.efficientnet_lite import CONFIG
from tunewright.pretrained.weights import SINGLE

OPEN = 32.0  # a gate's bias: its sigmoid is 1 in float32, and the slope 0
_HEAD = "_fc."
_NAMES = {
    r"_conv_stem\.": "embeddings.convolution.",
    r"_bn0\.": "embeddings.batchnorm.",
    r"_conv_head\.": "encoder.top_conv.",
    r"_bn1\.": "encoder.top_bn.",
    r"_blocks\.(\d+)\._expand_conv\.": r"encoder.blocks.\1.expansion.expand_conv.",
    r"_blocks\.(\d+)\._bn0\.": r"encoder.blocks.\1.expansion.expand_bn.",
    r"_blocks\.(\d+)\._depthwise_conv\.": r"encoder.blocks.\1.depthwise_conv.depthwise_conv.",
    r"_blocks\.(\d+)\._bn1\.": r"encoder.blocks.\1.depthwise_conv.depthwise_norm.",
    r"_blocks\.(\d+)\._project_conv\.": r"encoder.blocks.\1.projection.project_conv.",
    r"_blocks\.(\d+)\._bn2\.": r"encoder.blocks.\1.projection.project_bn.",
}
Tensors = dict[str, torch.Tensor]


def convert(source: Path, into: Path) -> None:
    """Write config and weights; of the pickled file only tensors are read.

    Raises:
        ModelError: it holds other weights than those of the model.
    """
    try:
        given: Tensors = torch.load(source, map_location="cpu", weights_only=True)
        with quiet():
            model = EfficientNetModel(EfficientNetConfig(**CONFIG))
            model.load_state_dict(_renamed(given) | _open_gates(model))
            into.mkdir(exist_ok=True)
            model.save_pretrained(into)
    except Exception as error:  # noqa: BLE001 - whatever a strange file makes it raise
        raise ModelError(
            f"{source.name} does not hold the weights of EfficientNet-Lite0: {first_line(error)}",
            fix="report it: the catalog entry or the package is wrong",
        ) from None
    (into / SINGLE).chmod(0o644)  # safetensors gives it to its owner alone; a cache may be shared


def _renamed(given: Tensors) -> Tensors:
    """By the names that Transformers has, without the head."""
    return {_name_of(name): each for name, each in given.items() if not name.startswith(_HEAD)}


def _name_of(name: str) -> str:
    for pattern, there in _NAMES.items():
        if (found := re.match(pattern, name)) is not None:
            return found.expand(there) + name[found.end() :]
    return name


def _open_gates(model: EfficientNetModel) -> Tensors:
    """Weights of the gates, which Lite has not."""
    return {
        name: torch.full_like(each, OPEN if name.endswith("expand.bias") else 0.0)
        for name, each in model.state_dict().items()
        if ".squeeze_excite." in name
    }


if __name__ == "__main__":
    sys.exit(convert_as_told(convert, sys.argv[1:]))
