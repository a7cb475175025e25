"""The columns of a seed's file, by which the plan knows whether dbt can load it in place."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path

from dbtdeploy.artifacts.artifacts import Manifest, Node, decoded


def read(manifest: Manifest, unique_ids: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Column names of the seeds among these, by unique id; without those that cannot be read.

    dbt reads a file there that it parsed there, so what is missing is left to dbt's own words.

    Args:
        manifest: of a parse on this machine.
        unique_ids: of any nodes.
    """
    found: dict[str, tuple[str, ...]] = {}
    for unique_id in unique_ids:
        node = manifest.find(unique_id)
        if node is None or node.resource_type != "seed" or not node.root_path:
            continue
        header = _header(Path(node.root_path) / node.original_file_path, node)
        if header:
            found[unique_id] = header
    return found


def _header(path: Path, node: Node) -> tuple[str, ...]:
    delimiter = decoded(node.config.delimiter)
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
        return tuple(next(csv.reader(lines, delimiter=str(delimiter or ",")), ()))
    except (OSError, UnicodeDecodeError, csv.Error, TypeError):
        return ()
