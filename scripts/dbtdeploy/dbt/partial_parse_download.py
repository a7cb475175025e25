"""The store's saved parses -> ``saved_parse/``: the pull request's own, or the current version's.

Neither is needed: what is missing, refused or damaged costs a full parse and a line in the log.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from dbtdeploy.base import errors
from dbtdeploy.context.work_files import Run
from dbtdeploy.store import partial_parse, pull_request_registry, versions
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.versions import Index

ENVIRONMENT, OWN = "environment", "pull-request"

Say = Callable[[str], None]
Installed = Callable[[], str | None]
"""The version of the dbt that would read it; None where that is not known."""


def own(store: Store, run: Run, parses: Path, *, installed: Installed, say: Say) -> bool:
    """Bring what an earlier push of this pull request left.

    Args:
        store: the environment's.
        run: this run.
        parses: the folder that it goes into.
        installed: see there.
        say: gets at most one line.

    Returns:
        Whether it is there, whole, and of this dbt: then the version's need not be fetched.
    """
    number = run.event.pull_request
    if number is None or run.command != "ci":
        return False
    key = pull_request_registry.parse_key(run, number)
    try:
        stored = store.get(key)
        if stored is None:
            return False
        partial_parse.unpack(stored.body, parses / OWN, source=store.address(key))
    except (errors.DbtDeployError, OSError) as cause:
        say(_not_fetched(cause))
        return False
    made, there = partial_parse.dbt_version(parses / OWN), installed()
    say(f"An earlier push left its parse: {store.address(key)}")
    return made is None or there is None or made == there


def of_version(store: Store, index: Index, parses: Path, *, installed: Installed, say: Say) -> None:
    """Bring that of a version, if it has one and this dbt could read it; see ``own``."""
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
        partial_parse.unpack(stored.body, parses / ENVIRONMENT, source=store.address(key))
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
