"""`tunewright export`"""

from __future__ import annotations


def export_command(
    run: str, out: str, *, to: str = "keras", quantization: str | None = None, json: bool = False
) -> int:
    """Take a model away: as a Keras file, a TensorFlow SavedModel, a TensorFlow Lite or GGUF file.

    It is read back and compared with the run's model before it counts as written: on real rows, or of
    a model that writes text on prompts.

    Parameters
    ----------
    run
        A run that is done.
    out
        A folder that is not there yet.
    to
        keras, savedmodel, tflite, or for a model that writes text gguf.
    quantization
        Of gguf: f16 (the default) or q8_0.
    json
        Print one JSON document.
    """
    from tunewright.exporting import export

    found = export(run, to, out, quantization=quantization)
    if json:
        from tunewright.cli.main import say_json

        shares = {} if found.same is None else {"same": found.same}
        say_json({"path": str(found.folder), "rows": found.rows, "apart": found.apart, **shares})
        return 0
    from tunewright.cli.tables import wide_console

    what = "validation rows" if found.same is None else "prompts"
    also = "" if found.same is None else f"; the likeliest token is the same at {found.same:.0%}"
    wide_console().print(
        f"{found.folder}: on {found.rows} {what} its scores are those of the run's model "
        f"within {found.apart:.1g}{also}",
        markup=False,
        soft_wrap=True,
    )
    return 0
