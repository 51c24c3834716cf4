"""EfficientNet-Lite0 out of a pickled file: a folder of Transformers' EfficientNet that computes the same.

Lite has no squeeze-and-excite: its gates are here of one channel, and open so far that float32 makes
them one. What passes is unchanged, no gradient enters them, and so they stay open in training.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tunewright.durable import write_json
from tunewright.pretrained.conversion import convert_apart

SIDE = 224
CONFIG: dict[str, Any] = {
    "image_size": SIDE,
    "width_coefficient": 1.0,
    "depth_coefficient": 1.0,
    "hidden_dim": 1280,
    "hidden_act": "relu6",
    "squeeze_expansion_ratio": 0.0,
    "batch_norm_momentum": 0.01,  # of PyTorch; the default is meant for another framework
    "dropout_rate": 0.2,
    "drop_connect_rate": 0.0,
}
_PROCESSOR = {
    "image_processor_type": "ViTImageProcessor",
    "do_resize": True,
    "size": {"height": SIDE, "width": SIDE},
    "resample": 3,
    "do_rescale": True,
    "rescale_factor": 1.0,
    "do_normalize": True,
    "image_mean": [127.0] * 3,
    "image_std": [128.0] * 3,
}
_CONVERTER = "tunewright.backends.torch.from_lite"


def make_lite0(source: Path, into: Path) -> None:
    """Fill a folder from a file of the weights of EfficientNet-Lite0, without its head.

    Raises:
        ModelError: the file holds something else.
    """
    convert_apart(_CONVERTER, source, into)
    write_json(into / "preprocessor_config.json", _PROCESSOR)
