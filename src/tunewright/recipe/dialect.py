"""YAML as people write it: 5e-5 is a number, and what is written reads back the same."""

from __future__ import annotations

import re

import yaml

_NUMBER = re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)$")


class Loader(yaml.SafeLoader):
    """Reads 5e-5 as a number."""


class Dumper(yaml.SafeDumper):
    """Quotes texts that `Loader` would read as numbers."""


for _side in (Loader, Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+0123456789."))
