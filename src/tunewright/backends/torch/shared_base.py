"""One language model in memory, and adapters of several runs that were trained on it."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from safetensors.torch import load_file

from tunewright.backends.folder import first_line
from tunewright.backends.torch import four_bits
from tunewright.backends.torch.adapters import KEY_PREFIX
from tunewright.backends.torch.row_writer import RowWriter
from tunewright.backends.torch.writer import Writer, padded_tokenizer, writing_model
from tunewright.errors import ModelError


class SharedBase:
    """A folder's weights, once, for the model itself and for every adapter.

    Raises:
        ModelError: the folder is of no causal language model.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.model = writing_model(folder)
        self._names: dict[Path, str] = {}
        self._active: str | None = None

    def plain(self) -> RowWriter:
        """What writes with the model as its folder has it."""
        return self._writer(self.folder, None)

    def adapted(self, adapter: Path, tokenizer: Path) -> RowWriter:
        """What writes with a run's adapters.

        Args:
            tokenizer: the folder of the run's own tokenizer and template.
        Raises:
            ModelError: the adapters are not for this model.
        """
        if adapter not in self._names:
            self._names[adapter] = name = f"adapter{len(self._names)}"
            self._inject(adapter, name)
        return self._writer(tokenizer, self._names[adapter])

    def _writer(self, tokenizer: Path, name: str | None) -> RowWriter:
        writer = Writer(self.model, padded_tokenizer(tokenizer))
        return RowWriter(writer, partial(self._with, name))

    def _inject(self, adapter: Path, name: str) -> None:
        four_bits.hush()
        from peft import LoraConfig, inject_adapter_in_model, set_peft_model_state_dict

        try:
            config = LoraConfig.from_pretrained(str(adapter))
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Already found a `peft_config`")  # it is meant
                inject_adapter_in_model(config, self.model, name)
            tensors = load_file(adapter / "adapter_model.safetensors")
            given = {key.removeprefix(KEY_PREFIX): each for key, each in tensors.items()}
            report: Any = set_peft_model_state_dict(self.model, given, adapter_name=name)
            wrong = ", ".join(sorted(report.unexpected_keys)[:3])
        except Exception as error:  # noqa: BLE001 - whatever a broken folder makes it raise
            wrong = first_line(error)
        if wrong:
            raise ModelError(
                f"{adapter} is not for the model in {self.folder}: {wrong}",
                fix="restore the run's folder, or its base model",
            )
        self.model.eval()
        self._active = None
        self._switch(None)

    @contextmanager
    def _with(self, name: str | None) -> Iterator[None]:
        """Within, the model answers with these adapters, or with none."""
        if name != self._active:
            self._switch(name)
        yield

    def _switch(self, name: str | None) -> None:
        for layer in _adapted_layers(self.model):
            has = name in layer.r
            layer.enable_adapters(has)
            if has:
                layer.set_adapter(name)
        self._active = name


def _adapted_layers(model: Any) -> Iterator[Any]:
    from peft.tuners.lora import LoraLayer

    return (module for module in model.modules() if isinstance(module, LoraLayer))
