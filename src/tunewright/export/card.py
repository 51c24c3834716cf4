"""The model card: what was trained, on what, how it did; only what is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from tunewright.recipe.schema import READS, TASKS, Kind, Reads


def model_card(
    *,
    title: str,
    base: str,
    licence: str | None,
    labels: Sequence[str],
    rows: Mapping[str, int],
    result: Mapping[str, Any],
    adapter: bool = False,
    in_transformers: bool = True,
    served: bool = False,
) -> str:
    """README.md of a model folder.

    Args:
        rows: part → how many rows it has.
        result: as in result.json.
        adapter: whether the folder also holds the adapter by itself.
        in_transformers: whether Transformers alone loads the folder.
        served: whether a service keeps the model, of which the folder is the name.
    """
    metric, reads = result["metric"], READS[result["task"]]
    pipeline = _PIPELINES[reads]
    head = (
        {
            "library_name": "transformers" if in_transformers else "tunewright",
            "pipeline_tag": pipeline,
            "tags": ["tunewright", pipeline],
        }
        | ({"base_model": base} if _is_hub_id(base) and not served else {})
        | ({"license": licence.lower()} if licence else {})
    )
    kind = TASKS[result["task"]]
    lines = [
        "---",
        yaml.safe_dump(head, sort_keys=False, allow_unicode=True).strip(),
        "---",
        "",
        f"# {title}",
        "",
        f"{base if served or _is_hub_id(base) else 'A local model'}, {_purpose(kind, labels)}.",
        "",
        f"Trained on {rows['train']:,} rows, chosen on {rows['validation']:,} validation rows; "
        f"{rows['test']:,} rows were kept sealed for the test.",
        "",
        "| part | " + metric + " | 95 % interval |",
        "|---|---|---|",
        _score("validation", result["validation"][metric]),
    ]
    if result.get("test"):
        lines.append(_score("test", result["test"][metric]))
        looks = result["test"]["looks"]
        lines += ["", f"Looks at the test part so far: {looks}."]
        if looks > 1:
            lines += ["The table has the intervals of one look; below they are widened for all."]
    if result.get("verdict"):
        lines += ["", result["verdict"]["sentence"]]
    lines += [
        "",
        f"The model answers for {_WHAT[reads]} like those it was trained on. Nothing is known about "
        "how it",
        "does on others.",
        "",
        *(_in_python(reads, kind) if in_transformers else _BY_COMMAND),
        "",
    ]
    if served:
        lines += [
            "The weights are at the service that `service.json` names, which can take them away.",
            "",
        ]
    if adapter:
        lines += [
            "The adapters are added to the weights of this folder. `adapter/` holds them alone"
            + (", with" if labels else ","),
            ("the head, " if labels else "")
            + "as `peft.PeftModel.from_pretrained(base_model, folder)` reads them.",
            "",
        ]
    return "\n".join(lines)


_BY_COMMAND = ("```bash", "tunewright predict PATH_OF_THIS_FOLDER ROWS.csv", "```")


def _in_python(reads: Reads, kind: Kind) -> list[str]:
    return [
        "```python",
        "from transformers import pipeline",
        "",
        f'{_NAMES[reads]} = pipeline("{_PIPELINES[reads]}", model="PATH_OF_THIS_FOLDER")',
        *_call(reads, kind),
        "```",
    ]


_PIPELINES: dict[Reads, str] = {
    "text": "text-classification",
    "image": "image-classification",
    "chat": "text-generation",
    "preference": "text-generation",
}
_NAMES: dict[Reads, str] = {
    "text": "classify",
    "image": "classify",
    "chat": "write",
    "preference": "write",
}
_WHAT: dict[Reads, str] = {
    "text": "texts",
    "image": "pictures",
    "chat": "prompts",
    "preference": "prompts",
}
_ASK: dict[Kind, str] = {  # where the pipeline is for texts with labels
    "one": "",
    "several": ", top_k=None",
    "number": ', function_to_apply="none"',
}


def _call(reads: Reads, kind: Kind) -> list[str]:
    """How the pipeline is asked."""
    if reads == "image":
        return ['print(classify("PATH_OF_A_PICTURE.jpg"))']
    if reads != "text":
        return ['print(write([{"role": "user", "content": "A question"}], max_new_tokens=200))']
    return [
        "longest = classify.model.config.trained_max_length",
        f'print(classify("A text", truncation=True, max_length=longest{_ASK[kind]}))',
    ]


def _purpose(kind: Kind, labels: Sequence[str]) -> str:
    if kind == "tokens":
        return "fine-tuned to write answers"
    if kind == "preference":
        return "fine-tuned to write answers that people prefer"
    if kind == "number":
        return f"fine-tuned to answer with a number, {_listed(labels)}"
    if kind == "several":
        return f"fine-tuned to say which of {len(labels)} labels apply: {_listed(labels)}"
    return f"fine-tuned to tell {len(labels)} labels apart: {_listed(labels)}"


def _is_hub_id(base: str) -> bool:
    """Whether a card may name it: a local folder means nothing to other people."""
    return base.count("/") == 1 and not base.startswith(("/", ".", "~"))


def _score(part: str, score: Mapping[str, float]) -> str:
    return f"| {part} | {score['value']:.4f} | {score['low']:.4f} to {score['high']:.4f} |"


def _listed(labels: Sequence[str]) -> str:
    shown = ", ".join(f"`{label}`" for label in labels[:20])
    return shown if len(labels) <= 20 else f"{shown} and {len(labels) - 20} more"
