"""Random models of four small blocks for text, images and sound, and batches for them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForAudioClassification,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
)

import tiny_models
from tiny_models import BART_LIKE, ENCODER_DECODERS, SMALL, VOCABULARY

Batch = dict[str, torch.Tensor]
NUM_LABELS = 3
FOUR: dict[str, Any] = {
    "num_hidden_layers": 4,
    "n_layers": 4,
    "n_layer": 4,
    "num_layers": 4,
    "num_decoder_layers": 4,
    "encoder_layers": 4,
    "decoder_layers": 4,
    "dropout": 0.0,
    "hidden_dropout_prob": 0.0,
    "attention_probs_dropout_prob": 0.0,
}
ENCODERS: dict[str, dict[str, Any]] = {
    **tiny_models.ENCODERS,
    "mobilebert": {
        "embedding_size": 32,
        "intra_bottleneck_size": 16,
        "num_feedforward_networks": 2,
    },
    "roformer": {"embedding_size": 32},
    "megatron-bert": {},
}
DECODERS: dict[str, dict[str, Any]] = {
    **tiny_models.DECODERS,
    "gemma2": {"num_key_value_heads": 1, "head_dim": 16, "sliding_window": 4},
    "gpt_neox": {},
    "opt": {"ffn_dim": 48, "word_embed_proj_dim": 32},
    "bloom": {"n_head": 2},
}
SIXTEEN = {"image_size": 16, "patch_size": 4}
SWIN = {
    "image_size": 32,
    "patch_size": 4,
    "embed_dim": 8,
    "depths": [1, 2, 1],
    "num_heads": [1, 2, 2],
    "window_size": 2,
    "drop_path_rate": 0.0,
}
STAGES = {"hidden_sizes": [8, 16, 32], "depths": [1, 2, 1]}
STAGED: dict[str, dict[str, Any]] = {
    "swin": SWIN,
    "swinv2": SWIN,
    "convnext": {**STAGES, "num_stages": 3, "layer_scale_init_value": 0.5},
    "resnet": {**STAGES, "embedding_size": 8, "layer_type": "basic"},
    "efficientnet": {
        "image_size": 32,
        "in_channels": [32, 8],
        "out_channels": [8, 16],
        "kernel_sizes": [3, 3],
        "strides": [1, 2],
        "expand_ratios": [1, 2],
        "num_block_repeats": [2, 2],
        "depthwise_padding": [],
        "width_coefficient": 1.0,
        "depth_coefficient": 1.0,
        "drop_connect_rate": 0.0,
        "dropout_rate": 0.0,
        "hidden_dim": 1280,
    },
}
VISION: dict[str, dict[str, Any]] = {
    "vit": SIXTEEN,
    "deit": {**SIXTEEN, "architectures": ["DeiTForImageClassification"]},
    "beit": {**SIXTEEN, "use_relative_position_bias": True},
    "dinov2": SIXTEEN,
    **STAGED,
}
SOUND = {
    "conv_dim": [8, 8],
    "conv_stride": [5, 4],
    "conv_kernel": [10, 8],
    "num_feat_extract_layers": 2,
    "num_conv_pos_embeddings": 8,
    "num_conv_pos_embedding_groups": 2,
    "classifier_proj_size": 16,
    "mask_time_prob": 0.0,
    "layerdrop": 0.0,
    "hidden_dropout": 0.0,
    "attention_dropout": 0.0,
    "feat_proj_dropout": 0.0,
    "final_dropout": 0.0,
    "activation_dropout": 0.0,
}
SPEECH: dict[str, dict[str, Any]] = {
    "wav2vec2": SOUND,
    "hubert": SOUND,
    "wavlm": {**SOUND, "num_buckets": 8, "max_bucket_distance": 16},
    "whisper": {**BART_LIKE, "num_mel_bins": 8, "max_source_positions": 20},
    "audio-spectrogram-transformer": {
        "max_length": 32,
        "num_mel_bins": 16,
        "patch_size": 8,
        "frequency_stride": 8,
        "time_stride": 8,
    },
}
ZOO = {**ENCODERS, **DECODERS, **ENCODER_DECODERS, **VISION, **SPEECH}


def open_zoo(name: str, **changes: Any) -> nn.Module:
    """A model with a new head, in evaluation mode; the weights are wide enough to matter."""
    sizes = ZOO[name] if name in STAGED else {**SMALL, **ZOO[name], **FOUR}
    config = AutoConfig.for_model(name, **sizes, num_labels=NUM_LABELS, **changes)
    kind = AutoModelForSequenceClassification
    if name in VISION:
        kind = AutoModelForImageClassification
    if name in SPEECH:
        kind = AutoModelForAudioClassification
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind.from_config(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.ndim == 2:
                    parameter.mul_(2.0)
    return model.eval()


def zoo_batches(name: str, count: int, rows: int = 4) -> Iterator[tuple[Batch, torch.Tensor]]:
    """(arguments of a forward call, labels); texts are of unlike length, padded on the right."""
    for index in range(count):
        draw = torch.Generator().manual_seed(index)
        labels = torch.randint(NUM_LABELS, (rows,), generator=draw)
        if name in VISION:
            side = ZOO[name].get("image_size", 32)
            yield {"pixel_values": torch.randn(rows, 3, side, side, generator=draw)}, labels
        elif name == "whisper":
            yield {"input_features": torch.randn(rows, 8, 40, generator=draw)}, labels
        elif name == "audio-spectrogram-transformer":
            yield {"input_values": torch.randn(rows, 32, 16, generator=draw)}, labels
        elif name in SPEECH:
            yield {"input_values": torch.randn(rows, 400, generator=draw)}, labels
        else:
            yield _texts(rows, draw), labels


def _texts(rows: int, draw: torch.Generator) -> Batch:
    lengths = torch.randint(5, 13, (rows,), generator=draw)
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    ids = torch.randint(6, len(VOCABULARY), mask.shape, generator=draw)
    ids[torch.arange(rows), lengths - 1] = SMALL["eos_token_id"]
    return {"input_ids": ids.where(mask, 0), "attention_mask": mask.long()}
