"""`tunewright export`"""

from __future__ import annotations


def export_command(run: str, out: str, *, to: str = "keras", json: bool = False) -> int:
    """Take a model away: as a Keras file, a TensorFlow SavedModel or a TensorFlow Lite file.

    It is read back and compared with the run's model on real rows before it counts as written.

    Parameters
    ----------
    run
        A run that is done.
    out
        A folder that is not there yet.
    to
        keras, savedmodel or tflite.
    json
        Print one JSON document.
    """
    from tunewright.exporting import export

    found = export(run, to, out)
    if json:
        from tunewright.cli.main import say_json

        say_json({"path": str(found.folder), "rows": found.rows, "apart": found.apart})
        return 0
    from tunewright.cli.tables import wide_console

    wide_console().print(
        f"{found.folder}: on {found.rows} validation rows its scores are those of the run's model "
        f"within {found.apart:.1g}",
        markup=False,
        soft_wrap=True,
    )
    return 0
