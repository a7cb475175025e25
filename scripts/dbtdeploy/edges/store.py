"""Where production leaves its artifacts: picks the edge by the location's form."""

from __future__ import annotations

import re
from pathlib import Path

from dbtdeploy import errors, state
from dbtdeploy.edges import folder, s3
from dbtdeploy.settings import StoreAccess

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def local_folder(location: str, workspace: Path) -> Path | None:
    """The folder that a location names, absolute; None for a URL."""
    return None if URL.match(location) else workspace / location


def object_name(location: str, name: str) -> str:
    """An artifact's address, for messages."""
    return f"{location.rstrip('/')}/{name}"


def fetch(
    location: str, destination: Path, *, workspace: Path, access: StoreAccess
) -> state.Fetched:
    """Copy the artifacts that are there into a folder.

    Args:
        location: ``s3://bucket/prefix`` or a folder, absolute or relative to ``workspace``.
        destination: an existing folder.
        workspace: the folder that relative paths start from.
        access: how to reach S3.

    Returns:
        What came; without ``manifest.json`` among it there is no state yet.

    Raises:
        InvalidInput: the location cannot be understood, or the folder does not exist.
        StateAccessDenied, StateBucketMissing, StateWrongRegion, StateCredentials,
        StateUnreachable, StateCorrupt: see ``edges/s3.py``.
    """
    source = local_folder(location, workspace)
    if source is not None:
        return folder.fetch(source, destination)
    if location.startswith("s3://"):
        return s3.fetch(location, destination, access)
    scheme = location.split("://", 1)[0]
    raise errors.InvalidInput(
        f"The input `state` is a {scheme}:// address, which dbt-deploy cannot read.",
        not_done=state.NOTHING_STARTED,
        remedy="Use s3://bucket/prefix (any S3-compatible store, by the input `aws-endpoint-url`), "
        "or fetch the artifacts in a step before this one and name their folder.",
    )
