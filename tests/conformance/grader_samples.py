"""A grader of each type, which gives 1 for the label and 0 for another answer."""

from __future__ import annotations

from typing import Any

EXACT: dict[str, Any] = {
    "type": "string_check",
    "name": "exact",
    "input": "{{sample.output_text}}",
    "reference": "{{item.label}}",
    "operation": "eq",
}
ALIKE: dict[str, Any] = {
    "type": "text_similarity",
    "name": "alike",
    "input": "{{sample.output_text}}",
    "reference": "{{item.label}}",
    "evaluation_metric": "fuzzy_match",
}
PYTHON: dict[str, Any] = {
    "type": "python",
    "name": "code",
    "source": "def grade(sample, item):\n    return float(sample['output_text'] == item['label'])\n",
    "image_tag": "2025-05-08",
}
MULTI: dict[str, Any] = {
    "type": "multi",
    "name": "both",
    "graders": {"exact": EXACT, "alike": ALIKE},
    "calculate_output": "(exact + alike) / 2",
}
NETWORK = """
import socket
def grade(sample, item):
    socket.create_connection(("127.0.0.1", PORT), timeout=5).close()
    return 1.0
"""


def judged(model: str) -> dict[str, Any]:
    """A model says what an answer is worth."""
    asked = "How good is this, from 0 to 1? {{sample.output_text}}"
    return {
        "type": "score_model",
        "name": "judge",
        "model": model,
        "input": [{"role": "user", "content": asked}],
        "range": [0, 1],
        "sampling_params": {"seed": 1, "temperature": 0, "max_completions_tokens": 8},
    }
