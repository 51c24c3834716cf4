"""What is block, embeddings and head, and where a cut is right, refused or limited."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from transformers import (
    AutoConfig,
    AutoModelForImageClassification,
    AutoModelForSequenceClassification,
    PretrainedConfig,
    PreTrainedModel,
)
from transformers.modeling_outputs import SequenceClassifierOutput

from tiny_models import VOCABULARY, write_model, write_tokenizer
from tiny_zoo import ENCODER_DECODERS, ZOO, open_zoo, zoo_batches
from training import make_plan, open_backend, phase, train
from tunewright.backends.torch.blocks import Layout, find_layout
from tunewright.backends.torch.cut import Cut
from tunewright.backends.torch.pooled import Pooled
from tunewright.recipe.schema import Train
from tunewright.train.phases import plan_phases

NUM_BLOCKS = dict.fromkeys(ZOO, 4) | dict.fromkeys(ENCODER_DECODERS, 8) | {"albert": 1}
BOUND = 1e-4
pytestmark = pytest.mark.usefixtures("one_thread")


def opened(name: str, **changes: Any) -> tuple[nn.Module, Layout, dict[str, torch.Tensor]]:
    model = open_zoo(name, **changes)
    batch, _ = next(zoo_batches(name, 1))
    return model, find_layout(model, batch), batch


def owner(layout: Layout, part: str) -> set[int]:
    """Numbers of the blocks that own a parameter with this in its name; −1 for none of them."""
    places = dict.fromkeys((*layout.embeddings, *layout.head), -1)
    places |= {name: index for index, names in enumerate(layout.in_block) for name in names}
    return {place for name, place in places.items() if part in name}


@pytest.mark.parametrize("name", ZOO)
def test_every_weight_has_one_place_and_every_possible_cut_equals_the_whole(name: str) -> None:
    model, layout, batch = opened(name)
    asked = {n for n, p in open_zoo(name).named_parameters() if p.requires_grad}
    assert asked == {n for n, p in model.named_parameters() if p.requires_grad}
    assert layout.num_blocks == len(layout.blocks) == NUM_BLOCKS[name]
    grouped = [*layout.embeddings, *layout.head, *(n for block in layout.in_block for n in block)]
    assert sorted(grouped) == sorted(n for n, _ in model.named_parameters())
    assert layout.embeddings
    assert layout.head
    assert all(layout.in_block)
    assert layout.cuts == (
        () if name == "albert" else (*range(1, 5), *[8] * (name in ENCODER_DECODERS))
    )
    for below in layout.cuts:
        assert Cut(model, layout.blocks, below).prove(batch) == 0.0


@pytest.mark.parametrize("name", [name for name in ZOO if name != "albert"])
def test_the_blocks_below_a_cut_are_not_computed(name: str) -> None:
    """Save one: what T5's and WavLM's first block hands on beside its state is made anew."""
    model, layout, batch = opened(name)
    cut = Cut(model, layout.blocks, 3)
    cut.prove(batch)
    computed: list[int] = []
    for index, block in enumerate(layout.blocks[:3]):
        for module in list(block.modules())[1:]:
            module.register_forward_hook(lambda *_, index=index: computed.append(index))
    hidden = cut.activations(batch)
    assert set(computed) == {0, 1, 2}
    computed.clear()
    with cut.without_blocks() as give:
        give(hidden)
        model(**batch)
    assert set(computed) == ({0} if name in ("t5", "mt5", "wavlm") else set())


@pytest.mark.parametrize("name", ENCODER_DECODERS)
def test_a_cut_within_a_decoder_is_refused_by_the_proof(name: str) -> None:
    model, layout, batch = opened(name)
    for below in (5, 6, 7):
        assert Cut(model, layout.blocks, below).prove(batch) > BOUND


def test_a_head_of_zeros_proves_nothing_so_the_last_state_is_compared_too() -> None:
    model, layout, batch = opened("t5")
    for name, parameter in model.named_parameters():
        if name in layout.head and name.startswith("classification_head"):
            nn.init.zeros_(parameter)
    assert Cut(model, layout.blocks, 4).prove(batch) == 0.0
    assert Cut(model, layout.blocks, 6).prove(batch) > BOUND


def test_a_head_of_zeros_does_not_tell_which_vector_it_reads() -> None:
    model, layout, batch = opened("gpt2")
    assert Pooled(model, layout.blocks).prove(batch, BOUND)
    nn.init.zeros_(model.score.weight)
    assert not Pooled(model, layout.blocks).prove(batch, BOUND)


def test_a_head_that_reads_all_layers_is_refused_by_the_proof() -> None:
    model, layout, batch = opened("wav2vec2", use_weighted_layer_sum=True)
    assert Cut(model, layout.blocks, 2).prove(batch) > BOUND


def test_what_goes_around_a_block_forbids_the_cut_however_small_it_is() -> None:
    """MobileViT has three groups of blocks; what enters a group also goes around it."""
    config = AutoConfig.for_model("mobilevit", image_size=32, num_labels=3)
    torch.manual_seed(0)
    model = AutoModelForImageClassification.from_config(config).eval()
    batch, _ = next(zoo_batches("convnext", 1))
    layout = find_layout(model, batch)
    assert layout.num_blocks == 9
    assert Cut(model, layout.blocks, 7).prove(batch) < BOUND  # by fresh weights, all but nothing
    assert layout.cuts == (1, 2)  # what goes around the lowest group comes from the embeddings


def test_what_a_block_reads_without_being_given_it_forbids_the_cut() -> None:
    """As when upper layers take keys and values of a lower one from a cache."""
    model = open_zoo("bert")
    layers = model.bert.encoder.layer
    seen: list[torch.Tensor] = []
    layers[1].register_forward_pre_hook(lambda _, given: seen.append(given[0]))
    layers[3].output.register_forward_hook(lambda _, __, answer: answer + 1e-9 * seen.pop())
    batch, _ = next(zoo_batches("bert", 1))
    assert find_layout(model, batch).cuts == (1, 4)


def test_the_cut_gives_way_to_the_next_one_below() -> None:
    _, layout, _ = opened("t5")
    assert [layout.highest_cut(most) for most in (0, 3, 4, 7)] == [0, 3, 4, 4]


def test_numbers_that_are_not_finite_are_no_proof() -> None:
    model, layout, batch = opened("bert")
    cut = Cut(model, layout.blocks, 2)
    nn.init.constant_(model.classifier.weight, float("nan"))
    assert cut.prove(batch) == float("inf")


def test_a_row_that_depends_on_its_padding_is_refused_by_the_proof() -> None:
    config = AutoConfig.for_model(
        "fnet", vocab_size=len(VOCABULARY), hidden_size=32, num_hidden_layers=4, num_labels=3
    )
    torch.manual_seed(0)
    model = AutoModelForSequenceClassification.from_config(config).eval()

    def forward(**batch: torch.Tensor) -> Any:
        return type(model).forward(model, input_ids=batch["input_ids"])  # it takes no mask

    model.forward = forward
    batch, _ = next(zoo_batches("bert", 1))
    layout = find_layout(model, batch)
    assert layout.num_blocks == 4
    assert Cut(model, layout.blocks, 2).prove(batch) > BOUND
    whole = {name: values[:, :5] for name, values in batch.items()}
    assert Cut(model, layout.blocks, 2).prove(whole) == 0.0


def test_activations_that_nobody_took_are_an_error() -> None:
    model, layout, batch = opened("wav2vec2")
    cut = Cut(model, layout.blocks, 2)
    cut.prove(batch)
    hidden = cut.activations(batch)
    model.config.layerdrop = 1.0
    model.train()  # every block is skipped

    def through_the_cut() -> None:
        with cut.without_blocks() as give:
            give(hidden)
            model(**batch)

    with pytest.raises(RuntimeError, match="not called"):
        through_the_cut()


def test_what_is_called_between_two_blocks_belongs_to_the_lower_one() -> None:
    _, swin, _ = opened("swin")
    assert owner(swin, "layers.0.downsample") == {0}
    assert owner(swin, "layers.1.downsample") == {2}
    _, bart, _ = opened("bart")
    assert owner(bart, "decoder.embed_positions") == {3}


def test_a_weight_that_two_blocks_share_belongs_to_the_lower_one() -> None:
    model = open_zoo("bert")
    layers = model.bert.encoder.layer
    layers[3].output.dense.weight = layers[1].output.dense.weight
    batch, _ = next(zoo_batches("bert", 1))
    assert owner(find_layout(model, batch), "layer.1.output.dense.weight") == {1}


def test_a_module_that_is_never_called_stands_with_the_one_around_it() -> None:
    """Attention in a head uses the weights of its output layer without calling it."""

    class Pooled(nn.Module):
        def __init__(self, inner: nn.Module) -> None:
            super().__init__()
            self.attention = nn.MultiheadAttention(32, 2, batch_first=True)
            self.inner = inner

        def forward(self, **batch: torch.Tensor) -> torch.Tensor:
            states = self.inner.bert(**batch).last_hidden_state
            return self.attention(states, states, states)[0].mean(1)

    batch, _ = next(zoo_batches("bert", 1))
    layout = find_layout(Pooled(open_zoo("bert")).eval(), batch)
    assert "attention.out_proj.weight" in layout.head


# ---- a model without blocks


class BagConfig(PretrainedConfig):
    model_type = "bag-of-words"

    def __init__(self, width: int = 16, **rest: Any) -> None:
        super().__init__(**rest)
        self.width = width


class BagForSequenceClassification(PreTrainedModel):
    """The mean of the words' vectors, two layers, a head; no list of like modules."""

    config_class = BagConfig

    def __init__(self, config: BagConfig) -> None:
        super().__init__(config)
        self.words = nn.Embedding(len(VOCABULARY), config.width)
        self.lower = nn.Linear(config.width, config.width)
        self.upper = nn.Linear(config.width, config.width)
        self.classifier = nn.Linear(config.width, config.num_labels)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.words

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor
    ) -> SequenceClassifierOutput:
        weights = attention_mask / attention_mask.sum(1, keepdim=True)
        mean = torch.einsum("bt,btd->bd", weights, self.words(input_ids))
        hidden = self.upper(torch.tanh(self.lower(mean)))
        return SequenceClassifierOutput(logits=self.classifier(torch.tanh(hidden)))


@pytest.fixture(scope="module")
def bag(tmp_path_factory: pytest.TempPathFactory) -> Path:
    AutoConfig.register("bag-of-words", BagConfig, exist_ok=True)
    AutoModelForSequenceClassification.register(
        BagConfig, BagForSequenceClassification, exist_ok=True
    )
    folder = tmp_path_factory.mktemp("bag")
    torch.manual_seed(0)
    BagForSequenceClassification(BagConfig(num_labels=3)).save_pretrained(folder)
    write_tokenizer(folder)
    return folder


def test_a_model_without_blocks_counts_as_one_block(bag: Path) -> None:
    layout = open_backend(bag, 8).layout
    assert (layout.blocks, layout.num_blocks, layout.cuts) == ((), 1, ())
    assert layout.head == ("classifier.weight", "classifier.bias")
    assert "words.weight" in layout.in_block[0]
    assert layout.embeddings == ()


@pytest.mark.parametrize(("strategy", "blocks"), [("full", [1]), ("head", [0]), ("staged", [0, 1])])
def test_a_model_without_blocks_trains_and_says_why_nothing_is_kept(
    strategy: str, blocks: list[int], bag: Path, tmp_path: Path
) -> None:
    backend = open_backend(bag, 24)
    chosen = Train.model_validate(
        {
            "strategy": strategy,
            "learning_rate": 1e-3,
            "head_learning_rate": 1e-2,
            "layer_decay": 0.9,
            "epochs": 1,
            "early_stopping": 0,
        }
    )
    phases = plan_phases(chosen, backend.num_blocks)
    assert [phase.blocks for phase in phases] == blocks
    progress = train(backend, make_plan(*phases), tmp_path)
    assert np.isfinite(progress.best.value or np.nan)
    assert not any(record["cached"] for record in progress.records)
    if strategy == "head":
        said = "no repeated blocks were found in BagForSequenceClassification"
        assert [record["reason"] for record in progress.records] == [said]


# ---- in a whole training


@pytest.mark.parametrize("name", ["t5", "bart"])
def test_a_cut_that_a_decoder_limits_says_so(name: str, tmp_path: Path) -> None:
    folder = write_model(tmp_path / name, name)
    for top, limited in ((1, True), (2, False)):
        started = open_backend(folder, 16).start_phase(phase(top))
        assert started.cached, started.reason
        assert started.reason.startswith("2 frozen blocks computed once")
        assert ("more than one state" in started.reason) == limited


def test_frozen_layers_skip_and_drop_nothing_whatever_the_model_wants(tmp_path: Path) -> None:
    """BART drops in its encoder's own code, and skips whole blocks, when that is in training."""
    folder = write_model(
        tmp_path / "bart", "bart", dropout=0.5, encoder_layerdrop=1.0, decoder_layerdrop=1.0
    )
    losses = []
    for _ in range(2):
        backend = open_backend(folder, 16)
        backend.start_phase(phase(0))
        losses.append(
            [float(backend.train_step([np.arange(8)], rate=0.0, draw=d)[0]) for d in (1, 2)]
        )
        assert not backend.layout.blocks[0].training
        assert not backend.model.model.encoder.training
    assert losses[0] == losses[1]
