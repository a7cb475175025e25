"""failed/ in the store -> work/retry/: a state in which what failed since bears the status error.

``--select result:error+ --state work/retry`` then builds it again, with what hangs on it.
https://docs.getdbt.com/reference/node-selection/methods#result
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from dbtdeploy import read_version, state, versions
from dbtdeploy.objects import Store
from dbtdeploy.outcomes import OUTCOMES
from dbtdeploy.report import GOOD

FOLDER = "retry"
"""In the work folder; there only if something failed since the current version."""

SELECT = "result:error+"

RUN_RESULTS = "run_results.json"


def lay(store: Store, work: Path, state_folder: Path) -> tuple[str, ...]:
    """Write ``work/retry/`` for what failed since the current version.

    Args:
        store: the environment's.
        work: the work folder.
        state_folder: holds the current version's manifest; it is linked, for it may be large.

    Returns:
        The ids of what failed, was skipped or never reached. Empty, and no folder, if nothing.
    """
    folder = work / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    ids = failed_since(store)
    if ids:
        folder.mkdir()
        (folder / state.MANIFEST).symlink_to(state_folder / state.MANIFEST)
        (folder / RUN_RESULTS).write_bytes(as_errors(ids))
        print(f"{len(ids):,} nodes failed or were not reached since; they are built again.")
    return ids


def failed_since(store: Store) -> tuple[str, ...]:
    """What failed, was skipped or never reached since the current version, by its newest try.

    A failed run says which version was current, so no clocks are compared.
    """
    pointer, _ = read_version.read_current(store)
    current = pointer.version if pointer else None
    newest: dict[str, bool] = {}
    for index in _failed_runs(store, current):
        for unique_id, good in _ends(index).items():
            newest.setdefault(unique_id, good)
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


def _failed_runs(store: Store, current: str | None) -> Iterator[versions.Index]:
    """The failed runs that followed the current version, the newest first."""
    keys = [entry.key for entry in store.list(versions.FAILED)]
    # Their names begin with the time, and one run at a time holds the lease.
    for key in sorted((k for k in keys if k.endswith(f"/{versions.INDEX}")), reverse=True):
        stored = store.get(key)
        if stored is None:
            continue
        index = versions.decode_index(stored.body, source=store.address(key))
        if index.previous != current:
            return
        yield index


def _ends(index: versions.Index) -> Mapping[str, bool]:
    """Whether each planned node of a failed run ended well."""
    missed: dict[str, bool] = dict.fromkeys(index.planned, False)
    return missed | {i: OUTCOMES.get(status) in GOOD for i, status in index.results.items()}
