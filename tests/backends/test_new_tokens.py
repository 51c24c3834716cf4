"""New tokens: where they begin, that they learn, and that they go with the model."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from tiny_chats import chats, open_language, write_chat_model, write_lines
from training import phase
from tunewright.adapting import adapt as adapt_model
from tunewright.backends.new_tokens import add_tokens
from tunewright.backends.torch.language_scorer import LanguageScorer
from tunewright.backends.torch.writer import TorchWriter
from tunewright.data.prepare import prepare
from tunewright.errors import RecipeError
from tunewright.pretrained.catalog import resolve_model
from tunewright.recipe.load import build_recipe
from tunewright.recipe.schema import Recipe

pytestmark = pytest.mark.usefixtures("one_thread")
NEW = ("delivery", "invoice")
LORA = {"method": "lora", "layers": "all", "rank": 3, "alpha": 6, "adapter_dropout": 0.0}
FAMILIES: dict[str, tuple[str, dict[str, Any]]] = {
    "untied": ("llama", {}),
    "tied": ("llama", {"tie_word_embeddings": True}),
    "scaled": ("gemma", {"head_dim": 16}),
    "GPT-2": ("gpt2", {"n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": 512}),
}


@pytest.fixture(scope="module", params=FAMILIES)
def folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    kind, changes = FAMILIES[request.param]
    return write_chat_model(tmp_path_factory.mktemp("grown") / kind, kind, **changes)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("plain") / "llama")


def opened(folder: Path, method: str = "lora", **more: Any) -> Any:
    adapters = LORA | {"method": method} if method != "full" else {}
    return open_language(folder, adapt={**adapters, "method": method, "new_tokens": NEW}, **more)


def tables(model: Any) -> list[torch.Tensor]:
    """Of the tokens that are read, and of those that are written."""
    return [model.get_input_embeddings().weight, model.get_output_embeddings().weight]


def trained(backend: Any, steps: int = 4) -> Any:
    backend.start_phase(phase(2, learning_rate=1e-2))
    for draw in range(steps):
        backend.train_step([np.arange(48)], rate=1.0, draw=draw)
    return backend


@pytest.mark.parametrize("method", ["lora", "full"])
def test_a_new_token_begins_as_the_mean_of_its_pieces(folder: Path, method: str) -> None:
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    backend = opened(folder, method)
    for before, after in zip(tables(base), tables(backend.model), strict=True):
        known = len(before)
        torch.testing.assert_close(after[: len(tokenizer)], before[: len(tokenizer)])
        for number, text in enumerate(NEW, start=len(tokenizer)):
            mean = before[tokenizer(text)["input_ids"]].mean(0)
            torch.testing.assert_close(after[number], mean)
        assert len(after) == max(known, len(tokenizer) + len(NEW))
    assert "new: the tokens delivery, invoice" in backend.news


def test_beside_adapters_the_new_rows_learn_and_no_other_row(folder: Path) -> None:
    backend = opened(folder)
    before = [table.detach().clone() for table in tables(backend.model)]
    trained(backend)
    new = [token.number for token in backend.reader.new_tokens]
    for old, now in zip(before, tables(backend.model), strict=True):
        moved = (now != old).any(dim=1).nonzero().flatten().tolist()
        assert moved == new
    assert backend.fixed.isdisjoint(name for name, _ in backend.layout.trainable(2))


def test_the_merged_folder_and_peft_answer_as_the_trained_model(
    folder: Path, tmp_path: Path
) -> None:
    from peft import PeftModel

    backend = trained(opened(folder))
    told = backend.answers("validation")
    before = [table.detach().clone() for table in tables(backend.model)]
    backend.save_model(tmp_path / "model")
    assert all(map(torch.equal, before, tables(backend.model)))
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "model")
    assert len(tokenizer("delivery")["input_ids"]) == 1
    merged, info = AutoModelForCausalLM.from_pretrained(
        tmp_path / "model", dtype=torch.float32, output_loading_info=True
    )
    assert not any(info.values())
    base = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    base.resize_token_embeddings(len(tables(merged)[0]), mean_resizing=False)
    adapted = PeftModel.from_pretrained(base, tmp_path / "model" / "adapter").eval()
    batch = backend.parts["validation"].inputs.batch(np.arange(6))
    given = {k: torch.from_numpy(v) for k, v in batch.items() if k != "labels"}
    with torch.no_grad():
        ours, theirs = (model(**given).logits for model in (merged.eval(), adapted))
    seen = given["attention_mask"].bool()
    torch.testing.assert_close(ours[seen], theirs[seen], rtol=1e-4, atol=1e-4)
    scorer = LanguageScorer(tmp_path / "model", folder, recipe_of())
    np.testing.assert_allclose(scorer.answers(texts(16)), told, rtol=1e-4, atol=1e-4)


def texts(count: int) -> list[str]:
    return [json.dumps(row) for row in chats(48 + count)[48:]]


def recipe_of(**adapt: Any) -> Recipe:
    train = {"max_length": 512, "precision": "fp32", "threads": 1, "cache": "off"}
    given = {"new_tokens": NEW, **adapt}
    return Recipe.model_validate({"task": "text-generation", "train": train, "adapt": given})


def test_the_untouched_model_is_asked_in_the_same_tokens(plain: Path) -> None:
    found = LanguageScorer(plain, plain, recipe_of()).answers(texts(16))
    np.testing.assert_allclose(found, opened(plain).answers("validation"), rtol=1e-5)


def test_a_new_token_is_written_out_in_answers(plain: Path, tmp_path: Path) -> None:
    backend = opened(plain)
    backend.save_model(tmp_path / "model")
    writer = TorchWriter(tmp_path / "model")
    number = backend.reader.new_tokens[0].number
    assert writer._until_stop([number]) == ("delivery", False)


def test_tables_with_rows_to_spare_are_not_grown(plain: Path) -> None:
    base = AutoModelForCausalLM.from_pretrained(plain)
    assert len(tables(opened(plain).model)[0]) == len(tables(base)[0])  # it has five to spare


def test_of_tokens_that_are_there_already_none_is_taken(plain: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(plain)
    for token in ("<think>", "<|im_end|>", "a"):
        with pytest.raises(RecipeError, match="is a token of this model already"):
            add_tokens(tokenizer, ["delivery", token])


REFUSED: dict[str, dict[str, Any]] = {
    "is there twice": {"adapt": {"new_tokens": ["<a>", "<a>"]}},
    "begins or ends with a space, or is empty": {"adapt": {"new_tokens": ["<a>", " b"]}},
    "adapt.new_tokens has zebra, which no training row has": {"adapt": {"new_tokens": ["zebra"]}},
    "adapt.new_tokens lie below all 2 blocks, of which the top 1 learn": {
        "adapt": {"new_tokens": ["delivery"], "layers": "top-1"}
    },
    "adapt.new_tokens is given, which backend keras does not have": {
        "adapt": {"new_tokens": ["delivery"]},
        "backend": "keras",
    },
}


def until_adapted(asked: dict[str, Any], folder: Path) -> None:
    recipe = build_recipe(asked)
    prepared = prepare(recipe.data, recipe.seed, folder, task=recipe.task)
    adapt_model(recipe, resolve_model(recipe.model), prepared)


@pytest.mark.parametrize("told", REFUSED)
def test_new_tokens_that_cannot_be_are_refused(told: str, plain: Path, tmp_path: Path) -> None:
    data = write_lines(tmp_path / "chats.jsonl", chats(40))
    asked = {"model": str(plain), "data": {"train": str(data)}, "train": {"threads": 1}}
    with pytest.raises(RecipeError) as caught:
        until_adapted(asked | REFUSED[told], tmp_path)
    assert told in caught.value.what
    assert caught.value.fix


def test_a_classifier_has_no_new_tokens(tickets: Path, tiny_bert: Path) -> None:
    import tunewright

    with pytest.raises(RecipeError, match="but no language model is trained"):
        tunewright.run(tickets, model=str(tiny_bert), settings=["adapt.new_tokens=[delivery]"])
