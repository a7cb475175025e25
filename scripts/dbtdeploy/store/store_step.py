"""What the scripts that reach the store share: the store of this job, opened by its settings."""

from __future__ import annotations

from dbtdeploy.base import settings
from dbtdeploy.store import store_location
from dbtdeploy.store.object_store import Store


def opened(location: str) -> Store:
    """The store at a location, with this job's keys; nothing is asked of it yet.

    Args:
        location: ``s3://bucket/prefix``, or a folder, absolute or relative to the workspace.

    Raises:
        InvalidInput: the location cannot be understood, or is a folder that is not there.
    """
    return store_location.open_store(
        location,
        workspace=settings.GitHubContext.from_environ().workspace,
        access=settings.StoreAccess.from_environ(),
    )
