"""`tunewright predict`"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import Annotated

from cyclopts import Parameter


def predict_command(
    run: str,
    data: Annotated[str | None, Parameter(allow_leading_hyphen=True)] = None,
    *,
    text: str | None = None,
    csv: bool = False,
    most_tokens: int = 256,
    temperature: float = 0.0,
    seed: int = 0,
) -> int:
    """Answer for a file, a pipe, one text or pictures; one JSON object a line, in order.

    Parameters
    ----------
    run
        A run (folder, name, id or last), or a model folder.
    data
        A file that run can read, or - for texts on stdin: plain lines, or JSON objects with
        a text. Where the model reads pictures: a picture, a folder of pictures, a file with
        their paths, or - for paths on stdin.
    text
        One text.
    csv
        Write CSV instead of JSON lines.
    most_tokens
        Of an answer, where the model writes.
    temperature
        0 for the likeliest token each time; higher for more variety.
    seed
        Of the draws.
    """
    import csv as csv_module
    import json

    from tunewright.inference import predict

    answers = predict(
        run,
        None if data in (None, "-") else data,
        text=text,
        lines=_stdin_texts() if data == "-" else None,
        most_tokens=most_tokens,
        temperature=temperature,
        seed=seed,
    )
    writer = csv_module.writer(sys.stdout, lineterminator="\n")
    for number, answer in enumerate(answers):
        if csv:
            if not number:
                writer.writerow(answer)
            cells = (
                json.dumps(cell, ensure_ascii=False) if isinstance(cell, list) else cell
                for cell in answer.values()
            )
            writer.writerow(cells)
        else:
            sys.stdout.write(json.dumps(answer, ensure_ascii=False) + "\n")
    sys.stdout.flush()
    return 0


def _stdin_texts() -> Iterator[str]:
    """Lines as they come; a line that is a JSON object gives its text, or the path of its image."""
    import json

    from tunewright.errors import DataError

    for number, line in enumerate(sys.stdin, start=1):
        line = line.rstrip("\r\n")
        if not line.lstrip().startswith("{"):
            yield line
            continue
        try:
            row = json.loads(line)
        except ValueError:
            yield line
            continue
        given = row.get("text", row.get("image"))
        if not isinstance(given, str):
            raise DataError(
                f"line {number} of stdin has no text (found: {', '.join(row)})",
                fix='write {"text": "…"}',
            )
        yield given
