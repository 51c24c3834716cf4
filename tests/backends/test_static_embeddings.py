"""Static embeddings: a text is the mean of its tokens' vectors, whatever their order and padding."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from quick_run import only_run, parsed, run_words
from tiny_models import VOCABULARY, write_tokenizer
from tunewright.backends.folder import load_tokenizer
from tunewright.backends.torch.automatic import classifiers
from tunewright.backends.torch.vectors import mean_vectors
from tunewright.pretrained.folder import check_folder, known_to_transformers
from tunewright.pretrained.static_embeddings import MODEL_TYPE, TABLE, make_wordllama

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
WIDTH = 32


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table of random vectors and a tokenizer of words."""
    made = tmp_path_factory.mktemp("static") / "tiny-static"
    write_tokenizer(made, decoder=True)
    table = np.random.default_rng(0).normal(size=(len(VOCABULARY), WIDTH))
    save_file({TABLE: table.astype(np.float16)}, made / "model.safetensors")
    config = {"model_type": MODEL_TYPE, "vocab_size": len(VOCABULARY), "hidden_size": WIDTH}
    (made / "config.json").write_text(json.dumps(config))
    return made


def test_scores_are_of_the_mean_and_padding_makes_no_difference(folder: Path) -> None:
    model = classifiers(of_pictures=False).from_pretrained(
        folder, num_labels=3, dtype=torch.float32
    )
    table = load_file(folder / "model.safetensors")[TABLE].astype(np.float32)
    ids = torch.tensor([[7, 9, 11], [8, 3, 3]])
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    with torch.inference_mode():
        scores = model(input_ids=ids, attention_mask=mask).logits
        turned = model(input_ids=ids.flip(1), attention_mask=mask.flip(1)).logits
        means = torch.from_numpy(np.stack([table[[7, 9, 11]].mean(0), table[8]]))
        assert torch.allclose(scores, model.classifier(means), atol=1e-6)
    assert torch.allclose(scores, turned, atol=1e-6)
    plain = load_tokenizer(folder)("my parcel")["input_ids"]
    (vector,) = mean_vectors(folder, ["my parcel"])
    assert np.allclose(vector, table[plain].mean(0), atol=1e-6)


def test_such_a_model_is_tuned_kept_and_asked_like_any_other(
    tickets: Path, folder: Path, cli: Cli, tmp_path: Path
) -> None:
    said = cli(*run_words(tickets, folder, "train.learning_rate=0.01"), "--json")
    assert said.code == 0, said.err
    run = only_run()
    table = load_file(run / "model" / "model.safetensors")
    before = load_file(folder / "model.safetensors")[TABLE]
    assert np.abs(table[f"table.{TABLE}"] - before).max() > 0.005, "the vectors have learned"
    result = json.loads((run / "result.json").read_text())
    assert result["validation"]["accuracy"]["value"] > 0.8
    text = "please help with my invoice refund"
    (tmp_path / "new.jsonl").write_text(json.dumps({"text": text}) + "\n")
    (answer,) = parsed(cli("predict", run / "model", tmp_path / "new.jsonl").out)
    assert answer["label"] == "billing"
    assert not known_to_transformers(run / "model")
    card = (run / "model" / "README.md").read_text()
    assert "tunewright predict" in card
    assert "from transformers" not in card


def test_such_a_model_is_ranked_and_reads_texts_of_any_length(
    tickets: Path, folder: Path, tiny_bert: Path
) -> None:
    from tunewright.choosing import choose

    found = choose(tickets, models=[str(folder), str(tiny_bert)])
    assert found["left_out"] == {}
    assert len(found["candidates"]) == 2


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ("backend=keras", f"cannot classify with a model of the type {MODEL_TYPE}"),
        ("adapt.method=lora", "adapters"),
        ("adapt.pooling=mean", "adapt.pooling is mean"),
    ],
)
def test_what_such_a_model_cannot_have_is_refused(
    wish: str, said: str, tickets: Path, folder: Path, cli: Cli
) -> None:
    answer = cli(*run_words(tickets, folder, wish))
    assert answer.code == 2
    assert said in answer.error()


def test_wordllamas_own_files_become_a_folder_in_which_no_token_stands_before_a_text(
    tmp_path: Path,
) -> None:
    words = {"<unk>": 0, "<s>": 1, "</s>": 2, "my": 3, "parcel": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A <s>:1 $B:1", special_tokens=[("<s>", 1)]
    )
    for name in ("weights", "tokenizers", "made"):
        (tmp_path / name).mkdir()
    tokenizer.save(str(tmp_path / "tokenizers" / "tiny_tokenizer_config.json"))
    table = np.arange(20, dtype=np.float16).reshape(5, 4)
    save_file({"embedding.weight": table}, tmp_path / "weights" / "tiny_4.safetensors")
    make_wordllama(tmp_path / "weights" / "tiny_4.safetensors", tmp_path / "made")
    assert check_folder(tmp_path / "made").config == {
        "model_type": MODEL_TYPE,
        "vocab_size": 5,
        "hidden_size": 4,
    }
    assert load_tokenizer(tmp_path / "made")("my parcel")["input_ids"] == [3, 4]
    assert np.array_equal(load_file(tmp_path / "made" / "model.safetensors")[TABLE], table)
