"""YAML as people write it: 5e-5 is a number, off is a word, and what is written reads back the same."""

from __future__ import annotations

import re

import yaml

_NUMBER = re.compile(r"^[-+]?(?:\d[\d_]*\.?[\d_]*|\.\d[\d_]*)(?:[eE][-+]?\d+)$")


BOOL = "tag:yaml.org,2002:bool"
_BOOL = re.compile(
    r"^(?:true|True|TRUE|false|False|FALSE)$"
)  # of YAML 1.2; 1.1 has on, off, yes, no


class Loader(yaml.SafeLoader):
    """Reads 5e-5 as a number, and on, off, yes, no as words."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - what the class above has, in its own name
        first: [(tag, pattern) for tag, pattern in resolvers if tag != BOOL]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


class Dumper(yaml.SafeDumper):
    """Quotes texts that `Loader` would read as numbers."""


for _side in (Loader, Dumper):
    _side.add_implicit_resolver("tag:yaml.org,2002:float", _NUMBER, list("-+0123456789."))
Loader.add_implicit_resolver(BOOL, _BOOL, list("tTfF"))
