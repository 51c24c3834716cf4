"""The other side of `pretrained.conversion`: a module that is run to convert one file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path

from tunewright.errors import TunewrightError


def convert_as_told(convert: Callable[[Path, Path], None], words: list[str]) -> int:
    """Convert; of an error that a user can mend the last line of stdout is JSON, and the code is 2."""
    try:
        convert(Path(words[0]), Path(words[1]))
    except TunewrightError as error:
        sys.stdout.write(json.dumps({"what": error.what, "fix": error.fix}) + "\n")
        return 2
    return 0
