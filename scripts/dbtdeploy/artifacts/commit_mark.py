"""The commit in dbt's manifest, where ``artifact_check.COMMIT_VARIABLES`` looks for it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from dbtdeploy.base import json_codec

NAME = "DBT_DEPLOY_COMMIT"

Fields = dict[str, msgspec.Raw]


def write(manifest: Path, commit: str) -> None:
    """Name the commit in a manifest that dbt has just written.

    dbt copies its variables into ``metadata.env``, but of a project that it read from a saved parse
    it writes those of the process that saved it (1.8 to 1.12): none, or another commit.

    Args:
        manifest: the file; nothing is done where there is none.
        commit: its SHA; nothing is done without one.
    """
    if not commit or not manifest.is_file():
        return
    document = json_codec.decode(manifest.read_bytes(), Fields)
    metadata = json_codec.decode(document["metadata"], Fields)
    env = json_codec.decode(metadata.get("env", b"{}"), Fields)
    env[NAME] = msgspec.Raw(msgspec.json.encode(commit))
    metadata["env"] = msgspec.Raw(msgspec.json.encode(env))
    document["metadata"] = msgspec.Raw(msgspec.json.encode(metadata))
    manifest.write_bytes(msgspec.json.encode(document))
