"""What has changed since a parse was saved, where dbt's partial parsing doesn't follow it.

Runs in the caller's interpreter, Python 3.10 or newer: standard library and dbt only.
"""

from __future__ import annotations

import os
from typing import Any

from .refused import RefusedError


def no_foundation_changed(saved: Any, now: Any) -> None:
    """Raises if a file has changed whose effects dbt's partial parsing doesn't follow."""
    for file_id in sorted(set(saved) | set(now)):
        old, new = saved.get(file_id), now.get(file_id)
        kind = str((old or new).parse_file_type)
        if kind not in ("macro", "generic_test", "function", "osi", "schema"):
            continue
        if kind == "schema":
            if (old is None or new is None or old.checksum != new.checksum) and any(
                isinstance(source, dict) and "overrides" in source
                for file in (old, new)
                if file is not None
                for source in (file.dict_from_yaml or {}).get("sources") or []
            ):
                raise RefusedError(f"{file_id} overrides sources of a package and has changed")
        elif old is None or new is None or old.checksum != new.checksum:
            raise RefusedError(f"{file_id} has changed")


def time_if_same(file: Any, projects: Any) -> float:
    """The time of a yml file whose content is the saved one: dbt doesn't load its YAML then.

    Content is compared as load_source_file of dbt/parser/read_files.py does. -1, which is no file's
    time, for every other file: dbt reads those.
    """
    from dbt.parser import read_files

    if file.parse_file_type != "schema" or file.project_name not in projects:
        return -1.0
    parts = (projects[file.project_name].project_root, file.path.original_file_path)
    path = os.path.abspath(os.path.join(*parts))
    try:
        time = os.stat(path).st_mtime
        text = read_files.load_file_contents(path, strip=True)
    except OSError:
        return -1.0
    normalize = getattr(read_files, "normalize_file_contents", str)
    same = read_files.FileHash.from_contents(normalize(text)) == file.checksum
    return time if same else -1.0


class Before:
    """What was there before files were parsed again, to see whether others hang on what changed."""

    def __init__(self, manifest: Any) -> None:
        self._nodes = {
            unique_id: (node.file_id, _traits(node))
            for unique_id, node in manifest.nodes.items()
            if str(node.resource_type) not in ("test", "operation")
        }
        self._names = {node.name for node in manifest.nodes.values()}
        self._disabled = set(manifest.disabled)
        self._docs = {unique_id: doc.name for unique_id, doc in manifest.docs.items()}
        self._sources = {
            unique_id: (source.source_name, source.name)
            for unique_id, source in manifest.sources.items()
        }
        self._macros = set(manifest.macros)

    def differs(self, manifest: Any) -> str:
        """Why what wasn't parsed again may be wrong, '' if it can't be.

        dbt parses the nodes that refer to a deleted one again, not those that refer to one which
        was switched off, or whose access, group or version changed, or that would now find another
        one of the same name (resolve_ref of dbt/contracts/graph/manifest.py).
        """
        for unique_id, (file_id, traits) in self._nodes.items():
            node = manifest.nodes.get(unique_id)
            if node is None and file_id in manifest.files:
                return f"{unique_id} is not there any more, though its file is"
            if node is not None and _traits(node) != traits:
                return f"access, group or version of {unique_id} has changed"
        names = set(self._docs.values())
        for unique_id, doc in manifest.docs.items():
            if unique_id not in self._docs and doc.name in names:
                return f"{unique_id} has the name of another"
        pairs = set(self._sources.values())
        for unique_id, source in manifest.sources.items():
            if unique_id not in self._sources and (source.source_name, source.name) in pairs:
                return f"{unique_id} has the name of another"
        return self._new_nodes(manifest) or (
            "macros have changed" if set(manifest.macros) != self._macros else ""
        )

    def _new_nodes(self, manifest: Any) -> str:
        for unique_id, node in manifest.nodes.items():
            if unique_id in self._nodes or str(node.resource_type) in ("test", "operation"):
                continue
            if node.name in self._names or unique_id in self._disabled:
                return f"{unique_id} has the name of another"
        return ""


def _traits(node: Any) -> tuple[Any, ...]:
    names = ("access", "group", "version", "latest_version")
    return tuple(getattr(node, name, None) for name in names)
