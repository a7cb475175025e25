"""Saved parses as dbt leaves them, for tests that do not look inside."""

from __future__ import annotations

import json
from pathlib import Path

from dbtdeploy.store import partial_parse


def laid(folder: Path, *, dbt: str = "1.11.16", content: bytes = b"\x81\xa5nodes") -> Path:
    """Write both files of a saved parse into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / partial_parse.PARSE).write_bytes(content * 1000)
    (folder / partial_parse.ABOUT).write_text(
        json.dumps({"made_with": {"dbt": dbt}, "more": 1}, indent=2)
    )
    return folder


def read(folder: Path) -> dict[str, bytes]:
    """The files of a folder; none where it is not there."""
    if not folder.is_dir():
        return {}
    return {path.name: path.read_bytes() for path in folder.iterdir()}
