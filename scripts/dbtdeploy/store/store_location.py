"""Where an environment's artifacts are kept: picks the client by the location's form."""

from __future__ import annotations

import re
from pathlib import Path

from dbtdeploy.base import errors, settings
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store.folder_client import Folder
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.s3_client import Bucket

URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")


def local_folder(location: str, workspace: Path) -> Path | None:
    """The folder that a location names, absolute; None for a URL."""
    return None if URL.match(location) else workspace / location


def opened(location: str) -> Store:
    """The store at a location, with this job's keys; nothing is asked of it yet.

    Args:
        location: ``s3://bucket/prefix``, or a folder, absolute or relative to the workspace.

    Raises:
        InvalidInput: the location cannot be understood, or is a folder that is not there.
    """
    return open_store(
        location,
        workspace=settings.GitHubContext.from_environ().workspace,
        access=settings.StoreAccess.from_environ(),
    )


def open_store(location: str, *, workspace: Path, access: StoreAccess) -> Store:
    """The store that a location names. Nothing is asked of S3 yet; a folder must be there.

    Args:
        location: ``s3://bucket/prefix`` or a folder, absolute or relative to ``workspace``.
        workspace: the folder that relative paths start from.
        access: how to reach S3.

    Raises:
        InvalidInput: the location cannot be understood, or there is no such folder; a wrong path
            must not pass for a first run.
    """
    source = local_folder(location, workspace)
    if source is not None:
        return Folder(_checked(source))
    if location.startswith("s3://"):
        return Bucket(location, access)
    scheme = location.split("://", 1)[0]
    raise errors.InvalidInput(
        f"{location} is a {scheme}:// address, which dbt-deploy cannot use as a store.",
        not_done="Nothing was read or written.",
        remedy="Use s3://bucket/prefix (any S3-compatible store, by the input `aws-endpoint-url`) "
        "or a folder. To compare with artifacts that are elsewhere, fetch them in a step before "
        "this one and name their folder.",
    )


def _checked(folder: Path) -> Path:
    if folder.is_dir():
        return folder
    raise errors.InvalidInput(
        f"{folder} is a file, not a folder."
        if folder.exists()
        else f"The folder {folder} does not exist.",
        not_done="Nothing was read or written.",
        remedy="Name the folder that is meant. If there is nothing in it yet, make it an empty "
        "folder: a mistyped path must not pass for a store without state.",
    )
