"""The dbt project's own files, read only."""

from __future__ import annotations

import functools
from pathlib import Path

from dbtdeploy.report.source_links import Sources

MOST_BYTES = 1_000_000
"""A larger file is a seed, in which no line is looked for."""

NOT_OURS = frozenset({"dbt_packages", "target", "logs", ".git", ".venv", "node_modules"})


def of(project: Path) -> Sources:
    """The files below one dbt project; nothing outside it is read, links neither."""
    root = project.resolve()

    @functools.lru_cache(maxsize=256)
    def read(path: str) -> str | None:
        try:
            file = (root / path).resolve()
            if not file.is_relative_to(root) or file.stat().st_size > MOST_BYTES:
                return None
            return file.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):  # ValueError: a null byte in the path
            return None

    def find(path: str) -> str | None:
        if read(path) is not None:
            return path
        name = Path(path).name
        if not name or any(mark in name for mark in "*?["):
            return None
        found = [
            file.relative_to(root)
            for file in root.rglob(name)
            if file.as_posix().endswith("/" + path)
            and not NOT_OURS & set(file.relative_to(root).parts)
        ]
        return found[0].as_posix() if len(found) == 1 else None

    return Sources(read=read, find=find)
