"""TRL's SFTTrainer or DPOTrainer with PEFT. One process, one JSON line on stdout.

python -m bench.language_peer ROWS_JSONL MODEL_FOLDER SETTINGS_JSON
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import torch
from datasets import Dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import DPOConfig, DPOTrainer, SFTConfig, SFTTrainer

from tunewright.history.memory import peak_memory_mib

LORA = {"r": 16, "lora_alpha": 32, "lora_dropout": 0.0, "target_modules": "all-linear"}


def main() -> None:
    """Train once over the rows; say how fast."""
    rows = [json.loads(line) for line in Path(sys.argv[1]).read_text("utf-8").splitlines()]
    settings = json.loads(sys.argv[3])
    torch.set_num_threads(settings.pop("threads"))
    of_pairs = "chosen" in rows[0]
    config, trainer = (DPOConfig, DPOTrainer) if of_pairs else (SFTConfig, SFTTrainer)
    model = AutoModelForCausalLM.from_pretrained(sys.argv[2], dtype=torch.float32)
    with tempfile.TemporaryDirectory() as out:
        training = trainer(
            model,
            args=config(
                out,
                report_to="none",
                save_strategy="no",
                disable_tqdm=True,
                use_cpu=True,
                bf16=False,
                max_length=512,
                num_train_epochs=1,
                learning_rate=2e-4,
                **settings,
            ),
            train_dataset=Dataset.from_list(rows),
            processing_class=AutoTokenizer.from_pretrained(sys.argv[2]),
            peft_config=LoraConfig(task_type="CAUSAL_LM", **LORA),
        )
        found = training.train().metrics
    seconds = found["train_runtime"]
    print(
        json.dumps(
            {
                "rows_per_s": len(rows) / seconds,
                "train_s": seconds,
                "loss": found["train_loss"],
                "peak_mib": peak_memory_mib(),
            }
        )
    )


if __name__ == "__main__":
    main()
