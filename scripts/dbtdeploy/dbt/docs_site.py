"""dbt's documentation in the target folder, and the build's manifest beside it.

``dbt docs generate --no-compile`` shows manifest.json as it lies there and writes neither it nor
run_results.json (1.8 to 1.12); without the option it compiles everything anew and writes both.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

import msgspec

from dbtdeploy.base import json_codec
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import STATIC_DOCS

MANIFEST = "manifest.json"
WRITTEN = (STATIC_DOCS, "catalog.json")

CODE = frozenset({"analysis", "model", "snapshot", "test"})
"""What has SQL that the documentation shows."""


class _Node(msgspec.Struct):
    resource_type: str = ""
    compiled_code: msgspec.Raw = msgspec.Raw(b"null")


class _Manifest(msgspec.Struct):
    nodes: dict[str, _Node] = {}


def is_compiled(target: Path) -> bool:
    """Whether the manifest holds the SQL of every node; not after a build of some nodes only."""
    try:
        content = (target / MANIFEST).read_bytes()
        nodes = json_codec.decode(content, _Manifest).nodes.values()
    except (FileNotFoundError, msgspec.DecodeError):
        return False
    return all(bytes(node.compiled_code) != b"null" for node in nodes if node.resource_type in CODE)


@contextlib.contextmanager
def manifest_kept(target: Path) -> Iterator[None]:
    """Put the manifest and the results of the build back, whatever dbt writes meanwhile."""
    paths = (target / MANIFEST, target / work_files.RUN_RESULTS)
    kept = {path: path.read_bytes() for path in paths if path.is_file()}
    try:
        yield
    finally:
        for path, content in kept.items():
            path.write_bytes(content)
