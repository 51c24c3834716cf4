from typing import Any


def a_result() -> dict[str, Any]:
    score = {"value": 0.9, "low": 0.85, "high": 0.94}
    return {
        "schema_version": 1,
        "task": "text-classification",
        "metric": "accuracy",
        "validation": {"accuracy": score},
        "test": None,
        "baselines": {"majority": {"accuracy": score}},
        "verdict": {
            "better_than_baseline": True,
            "difference": score,
            "baseline": "majority",
            "sentence": "It is better.",
        },
        "train": {
            "phases": [
                {
                    "name": "head",
                    "trainable_blocks": 0,
                    "epochs": 1,
                    "rows_per_s": 12.5,
                    "cached": True,
                }
            ],
            "best_step": 10,
            "wall_s": 3.5,
            "peak_memory_mib": 400.0,
        },
        "model": {
            "base": "minilm",
            "path": "model",
            "parameters": 22_713_216,
            "trainable_parameters": 770,
        },
    }
