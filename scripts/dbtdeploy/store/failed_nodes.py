"""failed/ in the store -> work/retry/: a state in which what failed since bears the status error.

``--select result:error+ --state work/retry`` then builds it again, with what hangs on it.
https://docs.getdbt.com/reference/node-selection/methods#result
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.artifacts.node_status import GOOD, OUTCOMES
from dbtdeploy.base import actions_runner
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader, versions

FOLDER = "retry"
"""In the work folder; there only if something is to be built again."""

SELECT = "result:error+"

RUN_RESULTS = "run_results.json"


def lay(store: Store, work: Path, state_folder: Path) -> tuple[str, ...]:
    """Write ``work/retry/`` for what is to be built again.

    Args:
        store: the environment's.
        work: the work folder.
        state_folder: holds the current version's manifest; it is linked, for it may be large.

    Returns:
        What ``failed_since`` found. Empty, and no folder, if nothing.
    """
    folder = work / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    ids = failed_since(store)
    if ids:
        folder.mkdir()
        (folder / artifact_check.MANIFEST).symlink_to(state_folder / artifact_check.MANIFEST)
        (folder / RUN_RESULTS).write_bytes(as_errors(ids))
        actions_runner.say(
            f"{len(ids):,} nodes failed, were not reached, or were built by a deploy that failed; "
            "they are built again."
        )
    return ids


def failed_since(store: Store) -> tuple[str, ...]:
    """What is not as the current version says, by the newest try of each node.

    That is what failed, was skipped or never reached since; what a failed run built from another
    definition, which nobody would find modified once that is reverted; and what the current version
    itself left so.

    A failed run says which version was current, so no clocks are compared.
    """
    pointer, _ = version_reader.read_current(store)
    current = None
    if pointer is not None and pointer.version is not None:
        current = version_reader.read_index(store, pointer)
    newest: dict[str, bool] = {}
    for index in failed_runs(store, current):
        for unique_id, good in _ends(index).items():
            newest.setdefault(unique_id, good)
    for unique_id in current.unsettled if current else ():
        newest.setdefault(unique_id, False)
    return tuple(sorted(unique_id for unique_id, good in newest.items() if not good))


def as_errors(unique_ids: Iterable[str]) -> bytes:
    """A run_results.json in which each of these ended with an error, as dbt 1.8 to 1.12 read it."""
    results: list[dict[str, object]] = [
        {
            "unique_id": unique_id,
            "status": "error",
            "timing": [],
            "thread_id": "",
            "execution_time": 0.0,
            "adapter_response": {},
            "message": None,
            "failures": None,
            "compiled": None,
            "compiled_code": None,
            "relation_name": None,
        }
        for unique_id in unique_ids
    ]
    schema = "https://schemas.getdbt.com/dbt/run-results/v6.json"
    metadata = {"dbt_schema_version": schema}
    document = {"metadata": metadata, "results": results, "elapsed_time": 0.0, "args": {}}
    return msgspec.json.encode(document)


def failed_runs(store: Store, current: versions.Index | None) -> Iterator[versions.Index]:
    """The failed runs that followed the current version, the newest first.

    A deploy that is building has such a record too, until it has succeeded.
    """
    version = current.version if current else None
    first = _day_before(version) if version else ""
    keys = [entry.key for entry in store.list(versions.FAILED)]
    found = (k.removeprefix(versions.FAILED) for k in keys if k.endswith(f"/{versions.INDEX}"))
    # Their names begin with the time at which they took the lease.
    for name in sorted((name for name in found if name >= first), reverse=True):
        key = versions.FAILED + name
        stored = store.get(key)
        if stored is None:
            continue
        index = versions.decode_index(stored.body, source=store.address(key))
        # One that lost its lease may end, and be found here, after others that followed it.
        if index.previous == version:
            yield index


def _day_before(version: str) -> str:
    """Where to begin to look, with a day for clocks that differ; old failures need no reading."""
    return f"{datetime.strptime(version[:8], '%Y%m%d') - timedelta(days=1):%Y%m%d}"


def _ends(index: versions.Index) -> Mapping[str, bool]:
    """Whether each planned node of a failed run ended well, and as the current version says."""
    missed: dict[str, bool] = dict.fromkeys(index.planned, False)
    ended = {i: OUTCOMES.get(status) in GOOD for i, status in index.results.items()}
    return missed | ended | dict.fromkeys(index.unsettled, False)
