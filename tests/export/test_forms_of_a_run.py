"""`export` into a form that a run's model does not have tells the forms that it has."""

from __future__ import annotations

from pathlib import Path

import pytest

from tunewright import exporting
from tunewright.errors import RunError
from tunewright.recipe.load import build_recipe


@pytest.mark.parametrize("task", ["text-generation", "preference"])
@pytest.mark.parametrize("form", ["keras", "savedmodel", "tflite"])
def test_a_model_that_writes_goes_to_gguf_or_stays_as_it_is(
    task: str, form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "a-run"
    recipe = build_recipe({"task": task, "data": "x.jsonl"})
    monkeypatch.setattr(exporting, "done_run", lambda _: (run, recipe))
    with pytest.raises(RunError, match="writes text") as refused:
        exporting.export("a-run", form, tmp_path / "out")
    assert f"{form} is for models that give labels" in refused.value.what
    assert "tunewright export a-run DIR --to gguf" in refused.value.fix
    assert str(run / "model") in refused.value.fix
    assert not (tmp_path / "out").exists()
