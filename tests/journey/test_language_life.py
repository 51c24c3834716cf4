"""Language models from a file to answers, as a user has it."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

import tunewright
from quick_run import only_run, parsed, run_words, weights_hash
from tiny_chats import TEMPLATE, chats, preferences, write_chat_model, write_lines
from tunewright.durable import read_lines
from tunewright.errors import TunewrightError
from tunewright.token_truth import tokens

pytestmark = pytest.mark.usefixtures("one_thread")
Cli = Callable[..., Any]
SHORT = ("evaluate.answers=3", "evaluate.most_tokens=12")


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_chat_model(tmp_path_factory.mktemp("writers") / "llama")


def test_from_conversations_to_a_model_that_answers(
    writer: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = write_lines(tmp_path / "chats.jsonl", chats(60))
    said = cli(*run_words(data, writer, "evaluate.pattern=here", *SHORT))
    assert said.code == 0, said.err
    run = only_run()
    result = json.loads((run / "result.json").read_text())
    assert result["task"] == "text-generation"
    assert set(result["validation"]) == {"loss", "token_accuracy", "perplexity"}
    assert set(result["baselines"]) == set(result["baseline_seconds"]) == {"base", "few-shot"}
    assert set(result["verdict"]["differences"]) == {"base", "few-shot"}
    assert set(result["answers"]["metrics"]["rougeL"]) == {
        "base",
        "few-shot",
        "tuned",
        "difference",
    }
    assert result["verdict"]["better_than_baseline"]
    assert {"rougeL", "exact_match", "format_rate", "ends"} <= set(result["answers"]["metrics"])
    assert result["answers"]["rows"] == 3
    report = (run / "report.html").read_text()
    assert '<span class="learned stop ">&lt;|im_end|&gt;</span>' in report
    assert "auto" not in (run / "recipe.yaml").read_text().replace("dropout: auto", "")

    tokenizer = AutoTokenizer.from_pretrained(run / "model")
    assert tokenizer.chat_template == TEMPLATE
    settings = json.loads((run / "model" / "generation_config.json").read_text())
    assert settings["eos_token_id"] in (2, [2])

    answered = parsed(cli("predict", run.name, data, "--most-tokens", "6").out)
    assert [row["prompt"] for row in answered[:2]] == [
        "where is parcel 0?",
        "where is refund 1? please",
    ]
    assert set(answered[0]) == {"prompt", "answer", "ended"}
    again = parsed(
        cli("predict", run / "model", "--text", "where is parcel 0?", "--most-tokens", "6").out
    )
    assert again[0] == answered[0]
    for wish in (("--most-tokens", "0"), ("--temperature", "-1")):
        said = cli("predict", run.name, "--text", "hello", *wish)
        assert (said.code, said.err.splitlines()[-1][:5]) == (2, "fix: ")
    empty = cli("chat", run.name, "--text", " ")
    assert (empty.code, "the message is empty" in empty.err) == (2, True)

    monkeypatch.setattr("sys.stdin", io.StringIO("hello\n\nwhere is refund 1?\n"))
    talk = json.loads(cli("chat", run.name, "--most-tokens", "4", "--json").out)
    assert [each["role"] for each in talk["tuned"]] == ["user", "assistant"] * 2
    assert talk["base"] != talk["tuned"]

    judged = json.loads(cli("evaluate", run.name, "--json").out)
    assert judged["scores"]["loss"]["value"] == pytest.approx(result["validation"]["loss"]["value"])
    assert cli("test", run.name).code == 0
    assert cli("run", run / "recipe.yaml", "--name", "again").code == 0
    twin = next(p for p in run.parent.iterdir() if "-again-" in p.name)
    assert weights_hash(twin) == weights_hash(run)


def test_from_preferences_to_a_model_that_prefers(writer: Path, cli: Cli, tmp_path: Path) -> None:
    data = write_lines(tmp_path / "pairs.jsonl", preferences(60))
    said = cli(*run_words(data, writer, "evaluate.answers=0", "adapt.layers=top-1"), "--test")
    assert said.code == 0, said.err
    result = json.loads((only_run() / "result.json").read_text())
    assert result["test"]["looks"] == 1
    assert "untouched" in result["baselines_left_out"]["few-shot"]
    assert result["baselines"]["base"]["preference_accuracy"]["value"] == 0.5
    assert result["baselines"]["base"]["reward_margin"]["value"] == 0.0
    share = result["test"]["preference_accuracy"]["value"]
    assert share > 0.5
    assert f"preference accuracy {100 * share:.1f} % [" in said.out
    assert "reward margin" in said.out
    assert "answers" not in result


def test_adapters_that_cannot_be_merged_are_kept_alone(
    writer: Path, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tunewright.backends.torch import adapters

    monkeypatch.setattr(adapters, "_merged_layer", lambda layer: layer.get_base_layer())
    said = cli(*run_words(write_lines(tmp_path / "chats.jsonl", chats(40)), writer, *SHORT))
    assert said.code == 1
    assert "error: with its adapters merged the model answers otherwise" in said.err
    run = only_run()
    assert (run / "adapter" / "adapter_config.json").is_file()
    assert not (run / "model").exists()
    assert "merged the model answers otherwise" in (run / "report.html").read_text()


def test_plain_texts_are_learned_whole(writer: Path, cli: Cli, tmp_path: Path) -> None:
    rows = [{"text": f"the parcel {n} is late again"} for n in range(40)]
    data = write_lines(tmp_path / "texts.jsonl", rows)
    said = cli(*run_words(data, writer), "--set", "task=text-generation")
    assert said.code == 0, said.err
    assert "answers" not in json.loads((only_run() / "result.json").read_text())


def test_a_row_is_shown_as_the_model_is_given_it(writer: Path, cli: Cli, tmp_path: Path) -> None:
    data = write_lines(tmp_path / "chats.jsonl", chats(24))
    said = cli("check", data, "--row", "3", "--set", f"model={writer}")
    assert "⟦the invoice is here!!⟧⟦<|im_end|>⟧" in said.out
    found = tokens(data, 3, model=str(writer))
    assert "".join(piece["text"] for piece in found[0]["pieces"] if piece["learned"]) == (
        "the invoice is here!!<|im_end|>"
    )
    said = cli("check", data, "--row", "99", "--set", f"model={writer}")
    assert (said.code, said.err.count("\n")) == (2, 2)
    assert "there is no line 99" in said.err
    write_lines(data, [*chats(23), {"messages": [{"role": "user", "content": "hello?"}]}])
    error = cli("check", data, "--row", "24", "--set", f"model={writer}").error()
    assert f"line 24 of {data}: has no assistant's turn to learn from" in error


def test_scores_of_answers_pick_the_best_step_and_end_training(
    writer: Path, cli: Cli, tmp_path: Path
) -> None:
    data = write_lines(tmp_path / "chats.jsonl", chats(60))
    words = run_words(data, writer, "evaluate.metric=rougeL", *SHORT, "train.epochs=3")
    assert cli(*words, "--name", "once").code == 0
    run = only_run()
    looks = [e for e in read_lines(run / "events.jsonl") if e["event"] == "evaluated"]
    scores = {look["step"]: look["scores"]["rougeL"] for look in looks}
    assert {"loss", "token_accuracy", "perplexity", "rougeL"} == set(looks[0]["scores"])
    result = json.loads((run / "result.json").read_text())
    best = result["train"]["best_step"]
    assert scores[best] == max(scores.values()) > scores[0]
    assert result["answers"]["metrics"]["rougeL"]["tuned"]["value"] == pytest.approx(scores[best])
    assert result["answers"]["metrics"]["rougeL"]["base"]["value"] == pytest.approx(scores[0])
    assert result["metric"] == "loss"
    assert (
        "each evaluation writes 3 answers of up to 12 tokens" in (run / "recipe.yaml").read_text()
    )
    assert cli("run", run / "recipe.yaml", "--name", "again").code == 0
    twin = next(p for p in run.parent.iterdir() if "-again-" in p.name)
    assert weights_hash(twin) == weights_hash(run)


REFUSED = {
    "evaluate.metric is format_rate, but there is no": ["evaluate.metric=format_rate"],
    "evaluate.metric is rougeL, but evaluate.answers is 0": [
        "evaluate.metric=rougeL",
        "evaluate.answers=0",
    ],
    "of which the answers in the data have nothing to compare": [
        "evaluate.metric=json_equal",
        "train.epochs=1",
    ],
    "would have to write answers in training": ["backend=keras", "evaluate.metric=rougeL"],
    "a language model has no new head": ["adapt.method=head"],
    "train.beta is 0.5, but the rows are no pairs": ["train.beta=0.5"],
    "train.label_smoothing is 0.1": ["train.label_smoothing=0.1"],
    "longer than 12 tokens": ["train.max_length=12"],
    "evaluate.metric is accuracy": ["evaluate.metric=accuracy"],
    "data.chat_template cannot be read": ["data.chat_template=no.jinja"],
    "there is no file": ["evaluate.own=[no.py:score]", "train.epochs=1", *SHORT],
    "is not a regular expression": ["evaluate.pattern=(", "train.epochs=1", *SHORT],
    "backend keras": ["backend=keras", "task=preference", "data.columns.chosen=messages"],
}


@pytest.mark.parametrize("told", REFUSED)
def test_what_cannot_be_is_refused_in_two_lines(
    told: str, writer: Path, cli: Cli, tmp_path: Path
) -> None:
    data = write_lines(tmp_path / "chats.jsonl", chats(40))
    if "task=preference" in REFUSED[told]:
        data = write_lines(tmp_path / "pairs.jsonl", preferences(40))
    words = [word for word in REFUSED[told] if not word.startswith("data.columns")]
    said = cli(*run_words(data, writer, *words))
    assert said.code == 2, said.err
    lines = said.err.splitlines()[-2:]
    assert lines[0].startswith("error: ")
    assert told in lines[0]
    assert lines[1].startswith("fix: ")


def test_models_that_cannot_write_are_refused(
    tiny_bert: Path, writer: Path, tmp_path: Path
) -> None:
    data = write_lines(tmp_path / "chats.jsonl", chats(40))
    with pytest.raises(TunewrightError, match="reads texts and writes none"):
        tunewright.run(data, model=str(tiny_bert))
    bare = write_chat_model(tmp_path / "bare")
    (bare / "chat_template.jinja").unlink()
    with pytest.raises(TunewrightError, match="no chat template") as refused:
        tunewright.run(data, model=str(bare))
    assert "plain" in refused.value.fix
    quantised = write_chat_model(tmp_path / "quantised")
    config = json.loads((quantised / "config.json").read_text())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_4bit": True}
    (quantised / "config.json").write_text(json.dumps(config))
    with pytest.raises(TunewrightError, match="are quantised, and cannot be trained"):
        tunewright.run(data, model=str(quantised))


def test_a_classifier_is_not_talked_to(done: Path) -> None:
    with pytest.raises(TunewrightError, match="whose model does not write"):
        tunewright.chat(done)


def test_answers_are_asked_for_of_writers_alone(tickets: Path, tiny_bert: Path, cli: Cli) -> None:
    said = cli(*run_words(tickets, tiny_bert, "evaluate.answers=3"))
    assert said.code == 2
    assert "evaluate.answers is 3, but this task writes no answers" in said.err


def test_a_sealed_row_that_could_not_be_judged_stops_the_run_before_it_trains(
    writer: Path, cli: Cli, tmp_path: Path
) -> None:
    rows = chats(60)
    rows[-1]["messages"][-1]["content"] = "done<|im_end|>"
    parts = {"train": rows[:30], "validation": rows[30:45], "test": rows[45:]}
    folder = tmp_path / "given"
    folder.mkdir()
    for part, some in parts.items():
        write_lines(folder / f"{part}.jsonl", some)
    said = cli(*run_words(folder, writer, *SHORT))
    assert said.code == 2
    assert "line 15 of" in said.error()
    assert "test.jsonl" in said.error()
    assert "message 2 holds <|im_end|>" in said.error()
