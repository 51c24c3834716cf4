"""A language model that writes answers, in training or from its folder."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from transformers import AutoModelForCausalLM

from tunewright.backends.chat_template import ChatTemplate
from tunewright.backends.folder import first_line, load_tokenizer, longest_input, quiet
from tunewright.backends.inputs import all_batches
from tunewright.backends.tokens import give_padding
from tunewright.backends.torch.device import (
    keep_freed_memory,
    pick_device,
    seed_device,
    set_threads,
)
from tunewright.cores import usable_cores
from tunewright.errors import DataError, ModelError

BATCH_TOKENS = 4096  # of prompts and answers that are written at once


class Writer:
    """Answers prompts, several at once, with what is known of earlier tokens kept.

    Args:
        model: in evaluation mode. tokenizer: with padding.
    """

    def __init__(self, model: Any, tokenizer: Any) -> None:
        self.model = model
        self.device = next(model.parameters()).device
        self.tokenizer = tokenizer
        self.tokenizer.padding_side = "left"
        self.longest = longest_input(model.config, tokenizer)
        self.template = ChatTemplate(tokenizer)

    def prompt(self, messages: Sequence[dict[str, Any]], tools: Any = None) -> str:
        """The text that an answer to these messages is asked with."""
        return self.template.text(messages, tools, generation_prompt=True)

    def write(
        self,
        prompts: Sequence[str],
        *,
        most_tokens: int = 256,
        temperature: float = 0.0,
        seed: int = 0,
    ) -> Iterator[tuple[int, str, bool]]:
        """(number of the prompt, answer, whether it came to an end by itself), as they are done.

        Args:
            most_tokens: of an answer. temperature: 0 for the likeliest token each time.
            seed: of the draws, for each batch anew.
        Raises:
            DataError: a prompt leaves no room for an answer.
        """
        coded = [self.tokenizer(text, add_special_tokens=False)["input_ids"] for text in prompts]
        lengths = np.array([len(ids) for ids in coded], dtype=np.int64)
        if len(lengths) and int(lengths.max()) + 1 > self.longest:
            raise DataError(
                f"a prompt has {int(lengths.max()):,} tokens, the model reads {self.longest:,}",
                fix="shorten it",
            )
        settings: dict[str, Any] = {"do_sample": False}
        if temperature > 0:
            settings = {"do_sample": True, "temperature": temperature, "top_k": 0}
        for rows in all_batches(lengths + most_tokens, BATCH_TOKENS):
            given = self.tokenizer.pad(
                {"input_ids": [coded[row] for row in rows]}, return_tensors="pt"
            ).to(self.device)
            width = given["input_ids"].shape[1]
            room = min(most_tokens, self.longest - width)
            seed_device(self.device, seed)
            with torch.inference_mode(), quiet():
                written = self.model.generate(
                    input_ids=given["input_ids"],
                    attention_mask=given["attention_mask"],
                    max_new_tokens=room,
                    eos_token_id=self.template.stop_ids,
                    pad_token_id=self.tokenizer.pad_token_id,
                    use_cache=True,
                    **settings,
                )
            for row, ids in zip(rows.tolist(), written[:, width:].tolist(), strict=True):
                yield row, *self._until_stop(ids)

    def _until_stop(self, ids: list[int]) -> tuple[str, bool]:
        stops = set(self.template.stop_ids)
        end = next((at for at, token in enumerate(ids) if token in stops), None)
        return self.tokenizer.decode(ids[:end], skip_special_tokens=True), end is not None


class TorchWriter(Writer):
    """A folder that answers.

    Raises:
        ModelError: the folder is no causal language model with a tokenizer and a chat template.
    """

    def __init__(self, folder: Path) -> None:
        super().__init__(writing_model(folder), padded_tokenizer(folder))


def writing_model(folder: Path) -> Any:
    """A folder's language model in fp32 and evaluation mode, on the device that there is.

    Raises:
        ModelError: the folder is of no causal language model.
    """
    keep_freed_memory()
    set_threads(usable_cores())
    with quiet():
        try:
            model: Any = AutoModelForCausalLM.from_pretrained(
                folder, use_safetensors=True, trust_remote_code=False, dtype=torch.float32
            )
        except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
            raise ModelError(
                f"{folder} cannot be loaded as a language model: {first_line(error)}",
                fix="pass a run of text-generation or preference, or such a model folder",
            ) from None
    return model.to(pick_device()).eval()


def padded_tokenizer(folder: Path) -> Any:
    """A folder's tokenizer, with a token to pad with. Raises ModelError when there is none."""
    tokenizer: Any = load_tokenizer(folder)
    give_padding(tokenizer)
    return tokenizer
