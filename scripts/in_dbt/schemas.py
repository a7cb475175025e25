"""dbt's JSON schemas, kept between jobs: half of what dbt does on a small project is to make them.

dbt checks each file it reads against the schema of a class, and derives that schema anew in every
process (``dbtClassMixin.json_schema`` in dbt_common/dataclass_schema.py; 1 s of CPU with 1.12). It
depends on nothing but the classes, so it is kept in a folder that is named after all installed
packages.
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any, Dict, List

import kept_file

FILE = "json_schemas.json"
OURS = ("dbt.", "dbt_common.")
"""Where the classes are that are kept."""

_known: Dict[str, Any] = {}
_new: List[str] = []
"""Names of those that the file does not have."""
_paths: List[str] = []


def use(folder: str) -> None:
    """Look schemas up in this folder; make those that are not there.

    Args:
        folder: of this environment and of no other; it may be missing.
    """
    from dbt_common.dataclass_schema import dbtClassMixin

    derive = getattr(dbtClassMixin.__dict__.get("json_schema"), "__func__", None)
    if derive is None:
        return
    _paths[:] = [os.path.join(folder, FILE)]
    _known.update(_read(_paths[0]))

    @functools.lru_cache(maxsize=None)
    def json_schema(cls: Any) -> Any:
        name = cls.__module__ + "." + cls.__qualname__
        if name in _known:
            return _known[name]
        made = derive(cls)
        if name.startswith(OURS) and "<locals>" not in name:
            _keep(name, made)
        return made

    method: Any = json_schema
    dbtClassMixin.json_schema = classmethod(method)


def write_new() -> None:
    """Write the file anew if a schema was made that was not in it."""
    if not _new:
        return
    # Another process may have written meanwhile: what it found stays.
    kept_file.write(_paths[0], json.dumps({**_read(_paths[0]), **_known}).encode())


def _keep(name: str, schema: Any) -> None:
    try:
        same = json.loads(json.dumps(schema)) == schema
    except (TypeError, ValueError):
        return
    if same:
        _known[name] = schema
        _new.append(name)


def _read(path: str) -> Dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as kept:
            found = json.load(kept)
    except (OSError, ValueError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {name: schema for name, schema in found.items() if isinstance(schema, dict)}
