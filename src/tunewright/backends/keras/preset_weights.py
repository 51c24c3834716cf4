"""The weights of a KerasHub preset, written as Transformers names them.

KerasHub's converter says where each weight of Transformers goes (see `ports`); here the numbers go the
other way. Run as a program: `python -m tunewright.backends.keras.preset_weights PRESET FOLDER`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import (
    AutoConfig,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
)

from tunewright.backends.folder import first_line, quiet
from tunewright.backends.keras.framework import Frameworks, start
from tunewright.backends.keras.model import arguments, converter_of, refuse_no_way_back
from tunewright.backends.keras.ports import Reader, weights_back
from tunewright.backends.keras.twin import ANSWERS_WITHIN, named_weights, put_weights
from tunewright.durable import disk_errors
from tunewright.errors import ModelError, TunewrightError
from tunewright.pretrained.keras_presets import WEIGHTS
from tunewright.pretrained.preset_families import class_arguments, family_of

ROWS, TOKENS = 4, 16  # of the random ones on which both models are compared


def write_weights(preset: Path, folder: Path) -> None:
    """Write the backbone's weights beside the config.json in a folder, and compare the answers.

    Raises:
        ModelError: the weights are damaged or of another model, or Transformers computes otherwise.
    """
    fw = start()
    content = json.loads((preset / "config.json").read_text("utf-8"))
    name, family = family_of(content, preset)
    values = class_arguments(content, family, preset)
    with quiet():
        try:
            backbone = getattr(fw.hub.models, name)(**values, dtype="float32")
            model = _empty_model(folder)
        except Exception as error:  # noqa: BLE001 - whatever a class makes of strange numbers
            raise ModelError(
                f"there is no {name} of the numbers in {preset / 'config.json'}: "
                f"{first_line(error)}",
                fix="take config.json from the model that the weights belong to",
            ) from None
        weights = named_weights(model)
        reader = Reader(weights)
        converter = converter_of(fw, family.model_type, model.config.to_dict())
        converter.convert_weights(backbone, reader, model.config.to_dict())
        ports = reader.done()
        refuse_no_way_back(backbone.trainable_variables, ports, reader.unread, name)
        _load(backbone, preset / WEIGHTS, name)
        put_weights(model, weights_back(ports, weights))
        _refuse_other_states(fw, backbone, model, preset)
        with disk_errors(folder):
            model.base_model.save_pretrained(folder)


def _empty_model(folder: Path) -> Any:
    """The Transformers model with zeros: what KerasHub has no weight for adds nothing."""
    config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    of_pictures = hasattr(config, "image_size")
    automatic: Any = (
        AutoModelForImageClassification if of_pictures else AutoModelForSequenceClassification
    )
    model = automatic.from_config(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


def _load(backbone: Any, path: Path, name: str) -> None:
    try:
        backbone.load_weights(str(path))
    except Exception as error:  # noqa: BLE001 - whatever Keras makes of a foreign file
        raise ModelError(
            f"{path} cannot be read, or is not of this {name}: {first_line(error)}",
            fix="fetch the preset again, config.json and weights together",
        ) from None


def _refuse_other_states(fw: Frameworks, backbone: Any, model: Any, preset: Path) -> None:
    """Raise ModelError where the last states of random rows differ."""
    batch = _random_rows(model.config)
    plain = fw.keras.Model(backbone.inputs, backbone.output)
    states = plain(arguments(plain, batch), training=False)
    ours = np.asarray(states["sequence_output"] if isinstance(states, dict) else states)
    with torch.no_grad():
        given = {key: torch.from_numpy(array) for key, array in batch.items()}
        theirs = model.base_model(**given).last_hidden_state.numpy()
    mask = batch.get("attention_mask", np.ones(ours.shape[:2])).astype(bool)
    apart = float(np.abs(ours - theirs)[mask].max())
    if not apart <= ANSWERS_WITHIN * max(1.0, float(np.abs(ours).max())):
        raise ModelError(
            f"Transformers computes otherwise than the KerasHub preset {preset}: "
            f"states differ by {apart:.2g}",
            fix="use a Transformers folder of this model",
        )


def _random_rows(config: Any) -> dict[str, np.ndarray]:
    """A batch under the names of Transformers; the last row of tokens is shorter."""
    random = np.random.default_rng(0)
    if hasattr(config, "image_size"):
        side = config.image_size
        return {"pixel_values": random.normal(size=(ROWS, 3, side, side)).astype(np.float32)}
    count = min(TOKENS, config.max_position_embeddings - 2)
    ids = random.integers(0, config.vocab_size, size=(ROWS, count))
    ids[ids == config.pad_token_id] = config.vocab_size - 1
    mask = np.ones_like(ids)
    mask[-1, count // 2 :] = 0
    return {"input_ids": ids, "attention_mask": mask}


def main() -> None:
    """Write, or say as one line of JSON why not."""
    try:
        write_weights(Path(sys.argv[1]), Path(sys.argv[2]))
    except TunewrightError as error:
        sys.stdout.write(json.dumps({"what": error.what, "fix": error.fix}) + "\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
