"""Text encoders that differ: those of the catalog that packages carry, and two cuts of the embedded one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from bench.beside import minilm

CATALOG = ("minilm", "wordllama", "distilbert")
CUTS = (1, 3)  # blocks of the embedded model that are kept


def candidates(folder: Path) -> dict[str, str]:
    """Name → what `--model` takes; the folders of cut models are made once."""
    made = {name: name for name in CATALOG}
    for blocks in CUTS:
        place = folder / f"minilm-{blocks}"
        if not (place / "model.safetensors").is_file():
            cut(Path(minilm()), place, blocks)
        made[place.name] = str(place)
    return made


def cut(source: Path, into: Path, blocks: int) -> None:
    """The model with its first blocks alone."""
    from transformers import AutoModel, AutoTokenizer

    model: Any = AutoModel.from_pretrained(source)
    model.encoder.layer = model.encoder.layer[:blocks]
    model.config.num_hidden_layers = blocks
    model.save_pretrained(into)
    AutoTokenizer.from_pretrained(source).save_pretrained(into)
