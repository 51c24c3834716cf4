"""A model being trained: what the torch backend does for every task."""

from __future__ import annotations

import contextlib
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

from tunewright.backends.base import PhaseStart
from tunewright.backends.folder import quiet
from tunewright.backends.settings import Part, StepSettings, pieces
from tunewright.backends.torch import adapters, checkpointing, four_bits, state
from tunewright.backends.torch.blocks import Layout, find_layout
from tunewright.backends.torch.calls import Calls
from tunewright.backends.torch.cut import Batch
from tunewright.backends.torch.device import most_tokens, return_freed_memory, seed_device
from tunewright.backends.torch.dropout import Draws, seed_dropout
from tunewright.backends.torch.embedding import UsedRows
from tunewright.backends.torch.frozen import Frozen
from tunewright.backends.torch.optimizer import learning, make_optimizer
from tunewright.backends.torch.work import gflop_per_token
from tunewright.errors import ModelError
from tunewright.train.phases import PhasePlan, deepest

EVAL_TOKENS = 4096


class TorchTraining(ABC):
    """Implements `backends.base.Backend`, but for what a task learns and answers.

    has_new_head: whether what lies above the blocks learns beside adapters; adapters_for: PEFT's
    word for the task.
    """

    has_new_head = True
    adapters_for = "SEQ_CLS"

    def __init__(self, calls: Calls, news: str, settings: StepSettings) -> None:
        self.calls = calls
        self.model = calls.model
        self.reader = calls.reader
        self.parts: Mapping[str, Part] = calls.parts
        self.settings = settings
        self.device = device = calls.device
        self.most_tokens = most_tokens(device, settings.width)
        self.eval_tokens = min(EVAL_TOKENS, self.most_tokens)
        self.draws = Draws()
        self.draw = 0  # of the present step
        if not seed_dropout(self.model, self.draws, settings.dropout) and settings.dropout:
            raise ModelError(
                f"adapt.dropout is {settings.dropout}, but {type(self.model).__name__} has no "
                "dropout in its hidden layers",
                fix="leave adapt.dropout on auto",
            )
        with calls.paging_out():
            self.layout: Layout = find_layout(self.model, self.example())
        self.num_blocks = self.layout.num_blocks
        self.device_type = device.type
        self.news = news
        self.most = most = deepest(settings.layers, self.num_blocks)
        if settings.adapters is not None:
            self.layout = adapters.put_adapters(
                self.model,
                self.layout,
                most,
                settings.adapters,
                task=self.adapters_for,
                tokens=self.new_rows(),
            )
            if not self.has_new_head:
                self.layout = replace(self.layout, head=())
            seed_dropout(self.model, self.draws, None)  # the adapters' own
            self.news += f"; {adapters.news(self.model, self.layout, settings.adapters)}"
        self.parameters = four_bits.count_weights(self.model)
        self.fixed = set(dict(self.model.named_parameters()))  # throughout this run
        self.fixed -= {name for name, _ in self.layout.trainable(most)}
        self.tables: dict[str, UsedRows] = {}
        self.one_token_modules: Sequence[nn.Module] = ()
        self.optimizer: torch.optim.AdamW | None = None
        self.resumed: dict[str, torch.Tensor] = {}  # an optimizer's state, until there is one
        self.frozen = self.make_frozen()
        self.top = self.num_blocks
        self.contrastive = False
        self.best: dict[str, torch.Tensor] = {}
        self.computes_again = False
        self.first: dict[str, torch.Tensor] | None = None  # weights before they learned

    # ---- what a task does in its own way

    def features(self, part: str, blocks: int) -> np.ndarray | None:
        """See `Backend`: none, where the model has no new head."""
        return None

    @abstractmethod
    def solve_head(self, blocks: int) -> float | None:
        """See `Backend`."""

    @abstractmethod
    def amount(self, rows: np.ndarray) -> int:
        """What the loss of these rows is a sum over."""

    @abstractmethod
    def learn(self, rows: np.ndarray, amount: int) -> torch.Tensor:
        """Add the gradients of these rows to those of a step over `amount`; their summed loss."""

    @abstractmethod
    def answers(self, part: str) -> np.ndarray:
        """See `Backend`."""

    def example(self) -> Batch:
        """Arguments of one call, by which the model is looked at."""
        first = np.arange(min(2, len(self.parts["train"].inputs)))
        return self.calls.batch("train", first)

    def new_rows(self) -> dict[str, list[int]] | None:
        """Name of a layer to its rows that are of new tokens; they learn beside adapters."""
        return None

    def make_frozen(self) -> Frozen:
        """What keeps the states of frozen layers."""
        return Frozen(self.calls, self.layout, self.settings.room, tokens_at_once=self.eval_tokens)

    def save_model(self, folder: Path) -> None:
        """See `Backend`."""
        return_freed_memory()
        adapted = self.settings.adapters is not None
        plain = adapters.merged(self.model) if adapted else contextlib.nullcontext()
        with quiet(), state.system_errors(), plain, self.calls.paging_out():
            self.model.save_pretrained(folder)
            self.reader.save(folder)
        if adapted:
            adapters.save_adapter(self.model, self.layout, folder / "adapter")
        for file in folder.rglob("*.safetensors"):  # written for their owner alone
            shutil.copymode(folder / "config.json", file)

    # ---- what the loop asks for

    def choose_checkpointing(self, asked: str, rows: int) -> tuple[str, str]:
        """See `Backend`."""
        need, free = self._activations(rows) if asked == "auto" else (0, 0)
        chosen, why = checkpointing.choose(asked, self.model, need, free)
        if chosen == "on" and not self.computes_again:
            self.computes_again = True
            checkpointing.compute_again(self.model, self.draws)
        return chosen, why

    def call(self, part: str, rows: np.ndarray) -> torch.Tensor:
        """What the blocks make of some rows, as a step computes it."""
        return self.calls.scores(part, rows)

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
        self.remember(name for name, p in self.model.named_parameters() if p.requires_grad)
        learning = [p for p in self.model.parameters() if p.requires_grad]
        if self.calls.mapped is not None:
            self.calls.mapped.bring(learning)
        self.top = phase.blocks
        self.contrastive = phase.contrastive
        self.calls.awake = False
        if phase.epochs:
            # an epoch shows one view of each row
            shown = phase.epochs / self.parts["train"].views
            uses = {"train": shown, "validation": float(phase.epochs + 1)}
            self.frozen.keep(phase.blocks, uses, keep)
            self.frozen.learned = max(self.frozen.learned, phase.blocks)
        return_freed_memory()
        gflop = gflop_per_token(
            self.layout,
            phase.blocks,
            kept=self.frozen.prefix is not None,
            of_one_token=self.one_token_modules,
        )
        return PhaseStart(
            trainable_parameters=sum(p.numel() for p in learning),
            peak_tokens_per_s=self.settings.peak / gflop if gflop else None,
            cached=self.frozen.prefix is not None,
            cache_mib=self.frozen.prefix.mib if self.frozen.prefix is not None else 0.0,
            build_s=self.frozen.prefix.build_s if self.frozen.prefix is not None else 0.0,
            saves_s=self.frozen.prefix.saves_s if self.frozen.prefix is not None else 0.0,
            reason=self.frozen.reason,
            on_disk=self.frozen.prefix is not None and self.frozen.prefix.on_disk,
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
        self.draw = draw
        self.draws.start_step(draw)
        seed_device(self.device, draw)
        amount = sum(self.amount(rows) for rows in parts)
        total = torch.zeros((), device=self.device)
        for rows in self._pieces(parts):
            total += self.learn(rows, amount)
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
        return total / amount, norm

    def keep_best(self) -> None:
        """See `Backend`. Only what may have changed is copied: weights, and running means of a norm."""
        still = {name for name, p in self.model.named_parameters() if not p.requires_grad}
        saved = set(self.model.state_dict())  # a buffer that no file has is not a weight
        for name, tensor in state.weights(self.model, leave_out=self.fixed).items():
            if name not in saved:
                continue
            if name not in self.best:
                self.best[name] = tensor.clone()
            elif name not in still:
                self.best[name].copy_(tensor)

    def restore_best(self) -> None:
        """See `Backend`."""
        state.put_weights(self.model, self.best)

    def begin_anew(self) -> None:
        """The remembered weights, as if nothing had learned; and nothing is remembered."""
        self.restore_best()
        self.best = {}
        self.optimizer, self.resumed = None, {}

    def keep_first(self) -> None:
        """From now on `begin_again` can be asked for; nothing has learned yet."""
        self.first = {name: each.clone() for name, each in self.model.named_buffers()}
        self.frozen.shelf = {}

    def remember(self, names: Iterable[str]) -> None:
        """Before some weights learn: keep what they are, if `begin_again` may be asked for."""
        if self.first is not None:
            there = dict(self.model.named_parameters())
            for name in names:
                if name not in self.first:
                    self.first[name] = there[name].detach().clone()

    def begin_again(self, settings: StepSettings) -> None:
        """Stand where it stood before anything learned; what is kept of frozen layers stays.

        Args:
            settings: may differ in what steps read, and in the layers that may learn.
        """
        if self.first is None:
            raise RuntimeError("begin_again before keep_first")
        self.settings = settings
        self.most = deepest(settings.layers, self.num_blocks)
        self.fixed = set(dict(self.model.named_parameters()))
        self.fixed -= {name for name, _ in self.layout.trainable(self.most)}
        state.put_weights(self.model, self.first)
        self.best, self.resumed, self.optimizer = {}, {}, None
        self.contrastive = False
        self.calls.awake = False
        self.model.eval()
        self.frozen.prefix = None  # what is on the shelf stays
        self.frozen.learned = 0

    def calibrate(self) -> float | None:
        """See `Backend`."""
        return None

    def state_bytes(self) -> int:
        """See `Backend`. Weights, best weights and two moments."""
        learn = (p for name, p in self.model.named_parameters() if name not in self.fixed)
        buffers = (buffer.nbytes for buffer in self.model.buffers())
        return 4 * sum(p.nbytes for p in learn) + 2 * sum(buffers)

    def save_state(self, folder: Path) -> None:
        """See `Backend`. What never learns is in the pre-trained model, and not written."""
        weights = state.weights(self.model, leave_out=self.fixed)
        state.write_tensors(folder / "weights.safetensors", weights)
        state.write_tensors(folder / "best.safetensors", self.best)
        state.write_tensors(folder / "optimizer.safetensors", self._moments())

    def load_weights(self, folder: Path) -> None:
        """See `Backend`."""
        saved = state.read_tensors(folder / "weights.safetensors")
        self.remember(name for name, _ in self.model.named_parameters() if name in saved)
        state.put_weights(self.model, saved)
        self.frozen.learned = self.num_blocks + 1  # how deep it was is not known
        self.best = state.read_tensors(folder / "best.safetensors")

    def load_state(self, folder: Path) -> None:
        """See `Backend`."""
        self.load_weights(folder)
        self.resumed = state.read_tensors(folder / "optimizer.safetensors")

    # ---- how it is done

    def _moments(self) -> dict[str, torch.Tensor]:
        if self.optimizer is None:
            return self.resumed
        return state.optimizer_tensors(self.optimizer)

    def _activations(self, rows: int) -> tuple[int, int]:
        """Bytes that a step keeps for the way back; and those that are free for them.

        A row is tried once and twice, in the precision of the weights: the difference is its own.
        """
        learn = {name for name, _ in self.layout.trainable(self.most)}
        for name, parameter in self.model.named_parameters():
            parameter.requires_grad_(name in learn)
        lengths = self.parts["train"].inputs.lengths
        row = checkpointing.tried_row(lengths)
        self.model.train()
        with self.calls.paging_out():
            once, twice = (
                checkpointing.bytes_kept(
                    lambda rows: self.call("train", rows), np.full(count, row), self.model
                )
                for count in (1, 2)
            )
        self.model.eval()
        at_once = checkpointing.tokens_at_once(lengths, rows, self.most_tokens)
        moved = sum(p.nbytes for p in self.model.parameters() if p.requires_grad)
        free = checkpointing.free_bytes(self.device) - checkpointing.MOMENTS * moved
        own = twice - once
        return once - own + own * at_once // int(lengths[row]), free

    def _pieces(self, parts: Sequence[np.ndarray]) -> Iterator[np.ndarray]:
        """The parts of a step, those with many tokens cut once more; the gradients add up.

        Not so where rows of a batch are compared with each other.
        """
        one_vector = self.frozen.prefix is not None and self.frozen.prefix.one_vector
        if one_vector or self.contrastive:
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
        for name in () if self.contrastive else self.layout.late:
            self.model.get_submodule(name).training = True
