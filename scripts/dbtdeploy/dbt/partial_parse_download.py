"""The current version's saved parse -> ``saved_parse/``.

It is an extra: what is missing, refused or damaged costs a full parse and a line in the log.
Another parse is never read: dbt runs what a parse holds, and only deploys can write a version's.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dbtdeploy.base import errors
from dbtdeploy.store import partial_parse
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import versions
from dbtdeploy.store.publication.versions import Index

Say = Callable[[str], None]
Installed = Callable[[], str | None]
"""The version of the dbt that would read it; None where that is not known."""


def of_version(store: Store, index: Index, folder: Path, *, installed: Installed, say: Say) -> None:
    """Bring that of a version, if it has one and this dbt could read it.

    Args:
        store: the environment's.
        index: of the version.
        folder: where to; it appears whole or not at all.
        installed: see there.
        say: gets at most one line.
    """
    item = index.objects.get(versions.SAVED_PARSE)
    if item is None or installed() not in (None, index.dbt_version):
        return
    key = versions.object_key(index.version, item)
    try:
        stored = store.get(key)
        if stored is None:
            say(_not_fetched(f"{store.address(key)} is not there."))
            return
        partial_parse.prove(item, stored.body, source=store.address(key))
        partial_parse.unpack(stored.body, folder, source=store.address(key))
    except (errors.DbtDeployError, OSError) as cause:
        say(_not_fetched(cause))
        return
    say(f"Version {index.version} has its parse: {store.address(key)}")


def _not_fetched(cause: str | Exception) -> str:
    said = str(cause)
    if isinstance(cause, errors.StateAccessDenied):
        said = f"{cause.what} {cause.remedy}"
    elif isinstance(cause, errors.DbtDeployError):
        said = cause.what
    return f"No saved parse, so that dbt may have to parse everything anew. {said}"
