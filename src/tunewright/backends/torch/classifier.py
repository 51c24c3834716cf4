"""A text classifier being trained: the torch backend of the loop."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tunewright.backends import probe
from tunewright.backends.answers import Answers, answers_for
from tunewright.backends.base import PhaseStart
from tunewright.backends.folder import quiet
from tunewright.backends.inputs import sorted_batches
from tunewright.backends.settings import Part, StepSettings, label_weights, pieces
from tunewright.backends.tokens import Tokens
from tunewright.backends.torch import adapters, head, state
from tunewright.backends.torch.blocks import Layout, find_layout
from tunewright.backends.torch.calls import Calls
from tunewright.backends.torch.device import most_tokens, return_freed_memory, seed_device
from tunewright.backends.torch.dropout import Draws, seed_dropout
from tunewright.backends.torch.embedding import UsedRows, take_over_large_tables
from tunewright.backends.torch.frozen import Frozen
from tunewright.backends.torch.load import Loaded
from tunewright.backends.torch.loss import summed_loss
from tunewright.backends.torch.one_token import OneToken, leave_out_other_tokens
from tunewright.backends.torch.optimizer import learning, make_optimizer
from tunewright.backends.torch.work import gflop_per_token
from tunewright.errors import ModelError
from tunewright.train.phases import PhasePlan, deepest

EVAL_TOKENS = 4096


class TorchClassifier:
    """Implements `backends.base.Backend`."""

    def __init__(
        self,
        loaded: Loaded,
        parts: Mapping[str, Part],
        settings: StepSettings,
        device: torch.device,
    ) -> None:
        self.calls = Calls(loaded, parts, device, bf16=settings.bf16)
        self.model = self.calls.model
        self.reader = loaded.reader
        self.parts = parts
        self.settings = settings
        self.device = device
        self.most_tokens = most_tokens(device, settings.width)
        self.eval_tokens = min(EVAL_TOKENS, self.most_tokens)
        self.draws = Draws()
        if not seed_dropout(self.model, self.draws, settings.dropout) and settings.dropout:
            raise ModelError(
                f"adapt.dropout is {settings.dropout}, but {type(self.model).__name__} has no "
                "dropout in its hidden layers",
                fix="leave adapt.dropout on auto",
            )
        first = np.arange(min(2, len(parts["train"].inputs)))
        with self.calls.paging_out():
            self.layout: Layout = find_layout(self.model, self.calls.batch("train", first))
        self.num_blocks = self.layout.num_blocks
        self.device_type = device.type
        self.news = loaded.news
        most = deepest(settings.layers, self.num_blocks)
        if settings.adapters is not None:
            self.layout = adapters.put_adapters(self.model, self.layout, most, settings.adapters)
            seed_dropout(self.model, self.draws, None)  # the adapters' own
            self.news += f"; {adapters.news(self.model, self.layout, settings.adapters)}"
        self.parameters = sum(p.numel() for p in self.model.parameters())
        self.fixed = set(dict(self.model.named_parameters()))  # throughout this run
        self.fixed -= {name for name, _ in self.layout.trainable(most)}
        last = head.last_linear(self.model, settings.num_labels)
        train = parts["train"].targets
        self.answer: Answers = answers_for(train, settings.kind, has_bias=last.bias is not None)
        self.learned = self.answer.learned(train)
        self.one_token = self._leave_out_other_tokens()
        self.tables = self._take_over_large_tables()
        self.label_weights = self._label_weights()
        self.optimizer: torch.optim.AdamW | None = None
        self.resumed: dict[str, torch.Tensor] = {}  # an optimizer's state, until there is one
        self.frozen = Frozen(
            self.calls, self.layout, settings.room, tokens_at_once=self.eval_tokens
        )
        self.top = self.num_blocks
        self.best: dict[str, torch.Tensor] = {}

    # ---- what the loop asks for

    def solve_head(self, blocks: int) -> float:
        """See `Backend`. The features are whatever enters the last linear layer."""
        started = time.monotonic()
        self.frozen.keep(blocks, {"train": 2, "validation": 2}, None)
        layer = head.last_linear(self.model, self.settings.num_labels)
        part = self.parts["train"]
        features = np.zeros((len(part.inputs), layer.in_features), dtype=np.float32)
        caught: list[torch.Tensor] = []
        hook = layer.register_forward_pre_hook(lambda _, args: caught.append(args[0]))
        try:
            with self.calls.inference():
                for rows in sorted_batches(part.inputs.lengths, self.eval_tokens):
                    self.frozen.scores("train", rows)
                    found = _one_per_row(caught.pop(), part.inputs.lengths[rows])
                    features[rows] = found.float().cpu().numpy()
        finally:
            hook.remove()
        weights, biases = probe.solve(
            features,
            self.learned,
            self.settings.num_labels,
            balanced=self.settings.balanced,
            seed=self.settings.seed,
            has_bias=layer.bias is not None,
        )
        head.put(layer, weights, biases)
        return time.monotonic() - started

    def start_phase(self, phase: PhasePlan, *, keep: bool | None = None) -> PhaseStart:
        """See `Backend`."""
        moments = self._moments()
        self.optimizer = make_optimizer(
            self.model,
            self.layout,
            phase,
            weight_decay=self.settings.weight_decay,
            tables=self.tables,
        )
        state.put_optimizer(self.optimizer, moments)
        self.resumed = {}
        learning = [p for p in self.model.parameters() if p.requires_grad]
        if self.calls.mapped is not None:
            self.calls.mapped.bring(learning)
        self.top = phase.blocks
        self.calls.awake = False
        if phase.epochs:
            uses = {"train": phase.epochs, "validation": phase.epochs + 1}
            self.frozen.keep(phase.blocks, uses, keep)
        return_freed_memory()
        gflop = gflop_per_token(
            self.layout,
            phase.blocks,
            kept=self.frozen.prefix is not None,
            of_one_token=self.one_token.modules if self.one_token is not None else (),
        )
        return PhaseStart(
            trainable_parameters=sum(p.numel() for p in learning),
            peak_tokens_per_s=self.settings.peak / gflop if gflop else None,
            cached=self.frozen.prefix is not None,
            cache_mib=self.frozen.prefix.mib if self.frozen.prefix is not None else 0.0,
            build_s=self.frozen.prefix.build_s if self.frozen.prefix is not None else 0.0,
            saves_s=self.frozen.prefix.saves_s if self.frozen.prefix is not None else 0.0,
            reason=self.frozen.reason,
            left_mib=self.frozen.left_mib(),
        )

    def train_step(
        self, parts: Sequence[np.ndarray], *, rate: float, draw: int
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """See `Backend`."""
        if self.optimizer is None:
            raise RuntimeError("train_step before start_phase")
        if not self.calls.awake:
            self._wake()
        self.draws.start_step(draw)
        seed_device(self.device, draw)
        count = sum(len(rows) for rows in parts)
        total = torch.zeros((), device=self.device)
        for rows in self._pieces(parts):
            loss = summed_loss(
                self.frozen.scores("train", rows).float(),
                torch.from_numpy(self.learned[rows]).to(self.device),
                self.settings.kind,
                weights=self.label_weights,
                smoothing=self.settings.label_smoothing,
            )
            (loss / count).backward()
            total += loss.detach()
        moved = [parameter for _, parameter in learning(self.optimizer)]
        limit = self.settings.clip or float("inf")
        norm = nn.utils.clip_grad_norm_(moved, limit, foreach=True)
        for group in self.optimizer.param_groups:
            group["lr"] = group["base_lr"] * rate
        if not (self.settings.skip_not_finite and not bool((total + norm).isfinite())):
            self.optimizer.step()
        self.optimizer.zero_grad()
        for name, _ in learning(self.optimizer):
            if name in self.tables:
                self.tables[name].write_back()
        return total / count, norm

    def answers(self, part: str) -> np.ndarray:
        """See `Backend`."""
        inputs = self.parts[part].inputs
        with self.calls.inference():
            return self.answer.by(
                lambda rows: self.frozen.scores(part, rows).float().cpu().numpy(),
                inputs.lengths,
                self.settings.num_labels,
                budget=self.eval_tokens,
            )

    def keep_best(self) -> None:
        """See `Backend`. Only what may have changed is copied."""
        for name, parameter in self.model.named_parameters():
            if name not in self.fixed and name not in self.best:
                self.best[name] = parameter.detach().clone()
            elif parameter.requires_grad:
                self.best[name].copy_(parameter.detach())

    def restore_best(self) -> None:
        """See `Backend`."""
        state.put_weights(self.model, self.best)

    def state_bytes(self) -> int:
        """See `Backend`. Weights, best weights and two moments."""
        learn = (p for name, p in self.model.named_parameters() if name not in self.fixed)
        buffers = (buffer.nbytes for buffer in self.model.buffers())
        return 4 * sum(p.nbytes for p in learn) + sum(buffers)

    def save_state(self, folder: Path) -> None:
        """See `Backend`. What never learns is in the pre-trained model, and not written."""
        weights = state.weights(self.model, leave_out=self.fixed)
        state.write_tensors(folder / "weights.safetensors", weights)
        state.write_tensors(folder / "best.safetensors", self.best)
        state.write_tensors(folder / "optimizer.safetensors", self._moments())

    def load_weights(self, folder: Path) -> None:
        """See `Backend`."""
        state.put_weights(self.model, state.read_tensors(folder / "weights.safetensors"))
        self.best = state.read_tensors(folder / "best.safetensors")

    def load_state(self, folder: Path) -> None:
        """See `Backend`."""
        self.load_weights(folder)
        self.resumed = state.read_tensors(folder / "optimizer.safetensors")

    def save_model(self, folder: Path) -> None:
        """See `Backend`."""
        return_freed_memory()
        adapted = self.settings.adapters is not None
        plain = adapters.merged(self.model) if adapted else contextlib.nullcontext()
        last = head.last_linear(self.model, self.settings.num_labels)
        with head.in_units(last, self.answer):
            with quiet(), state.system_errors(), plain, self.calls.paging_out():
                self.model.save_pretrained(folder)
                self.reader.save(folder)
            if adapted:
                adapters.save_adapter(self.model, self.layout, folder / "adapter")
        for file in folder.rglob("*.safetensors"):  # written for their owner alone
            shutil.copymode(folder / "config.json", file)

    # ---- how it is done

    def _leave_out_other_tokens(self) -> OneToken | None:
        """Unless a row ends in padding of its own, after which a head's last token is not ours."""
        for part in self.parts.values():
            tokens = part.inputs
            if not isinstance(tokens, Tokens) or tokens.end_in_padding():
                return None
        lengths = self.parts["train"].inputs.lengths
        batch = self.calls.batch("train", np.array([np.argmin(lengths), np.argmax(lengths)]))
        with self.calls.inference():
            return leave_out_other_tokens(self.model, self.layout, batch, self.calls.bound)

    def _take_over_large_tables(self) -> dict[str, UsedRows]:
        tokens = self.parts["train"].inputs
        if not isinstance(tokens, Tokens):
            return {}
        used = np.union1d(tokens.ids, [tokens.padding])
        return take_over_large_tables(self.model, used)

    def _moments(self) -> dict[str, torch.Tensor]:
        if self.optimizer is None:
            return self.resumed
        return state.optimizer_tensors(self.optimizer)

    def _pieces(self, parts: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """The parts of a step, those with many tokens cut once more; the gradients add up."""
        if self.frozen.prefix is not None and self.frozen.prefix.one_vector:
            yield from parts
            return
        lengths = self.parts["train"].inputs.lengths
        yield from pieces(parts, lengths, self.most_tokens)

    def _wake(self) -> None:
        """Training mode for what learns; frozen layers drop nothing, cached or not."""
        self.calls.awake = True
        if self.top >= self.num_blocks:
            self.model.train()
            return
        self.model.eval()
        for block in self.layout.blocks[self.num_blocks - self.top :]:
            block.train()
        for name in self.layout.late:
            self.model.get_submodule(name).training = True

    def _label_weights(self) -> torch.Tensor | None:
        if not self.settings.balanced:
            return None
        weights = label_weights(self.parts["train"].targets, self.settings.num_labels)
        return torch.tensor(weights, dtype=torch.float32, device=self.device)


def _one_per_row(features: torch.Tensor, lengths: np.ndarray) -> torch.Tensor:
    """(rows, width): decoders score every token, and their last one answers for the row.

    Of a row that is kept as one vector, there is that one alone.
    """
    if features.ndim == 2 or features.shape[1] == 1:
        return features.flatten(1)
    return features[torch.arange(len(lengths)), torch.from_numpy(lengths - 1)]
