"""What a release and a rollback ask of the warehouse: one dbt process and one answer each.

The macros ``release_*.sql`` of templates/dbt_package/ do it; here their jobs are made and their
answers read. A job is JSON, and its values reach the warehouse as literals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec import Struct, to_builtins

from dbtdeploy.base import errors, json_codec, timestamps
from dbtdeploy.context.release_files import NewSchema, ReleaseRecord, RemovedNode, Spot, SwappedNode
from dbtdeploy.dbt.dbt_client import Dbt
from dbtdeploy.warehouse import preflight, release_schemas
from dbtdeploy.warehouse.preflight import DependentObject, Preflight
from dbtdeploy.warehouse.relations_read import RelationRead
from dbtdeploy.warehouse.release_macro_types import (
    CleanedUp,
    LiveProduction,
    Measured,
    Pair,
    Prepared,
    ProductionRelation,
    Query,
    QueryResult,
    ReleaseScope,
    ReleaseState,
    StagingBaseline,
    SwapPair,
    Swapped,
    TookBack,
)
from dbtdeploy.warehouse.run_job_macro import run_job

READER_WAIT_MS = 250

UNTOUCHED = "Nothing was changed in production."
UNKNOWN = (
    "Whether production was swapped is not known: it is all old or all new, never a mixture, and "
    "the next run asks the warehouse."
)

EXPECTED_KIND = {
    "view": "view",
    "materialized_view": "materialized_view",
    "table": "table",
    "incremental": "table",
    "snapshot": "table",
    "seed": "table",
}
"""The kind of relation that a materialization leaves; a project's own may leave any."""

T = TypeVar("T")


class _Refused(Struct, frozen=True, kw_only=True):
    """In place of an answer: others could put their own into ``dbt_deploy``; nothing was read."""

    untrusted: Preflight


def read_production(
    dbt: Dbt,
    *,
    work: Path,
    place: ReleaseScope,
    wanted: Sequence[ProductionRelation],
    removed: Sequence[ProductionRelation],
    reads: Sequence[RelationRead] = (),
    schemas: Sequence[str] = (),
) -> LiveProduction:
    """Production before a release; nothing is written.

    Args:
        dbt: the caller's.
        work: the work folder.
        place: whose release it is.
        wanted: the relations that the release will replace or make.
        removed: those whose nodes left the project.
        reads: what the release reads and does not replace.
        schemas: all that production has, by the project.
    """
    job = {
        **to_builtins(place),
        "schemas": list(schemas),
        "reads": to_builtins(tuple(reads)),
        "wanted": [_spotted(one.unique_id, one.spot) for one in wanted],
        "removed": [_spotted(one.unique_id, one.spot) for one in removed],
    }
    return _ask(dbt, "release_look", job, LiveProduction, work=work)


def prepare(
    dbt: Dbt,
    *,
    work: Path,
    place: ReleaseScope,
    release_id: str,
    tag: str,
    nonce: str,
    schemas: Sequence[str],
    baselines: Sequence[StagingBaseline],
    taken_at: str = "",
) -> Prepared:
    """Set the fence, drop what dead releases left, make and mark the staging schemas, lay rows.

    Args:
        dbt: the caller's.
        work: the work folder.
        place: whose release it is.
        release_id: the release's.
        tag: its tag.
        nonce: of the lease.
        schemas: every staging schema; with baselines there is one more, for their log.
        baselines: production's tables to copy.
        taken_at: when the lease was taken, ISO 8601; a fence that is newer is respected.
    """
    log_schema = release_schemas.log_schema(release_id, place.project)
    job = {
        **_fenced(place, nonce, taken_at),
        "release_id": release_id,
        "tag": tag,
        "log_schema": log_schema,
        "prefix": release_schemas.prefix(place),
        "mark": _mark(place, release_id, "staging"),
        "schemas": [*schemas, *([log_schema] if baselines else [])],
        "baselines": [
            {
                "unique_id": one.unique_id,
                "staging": to_builtins(one.staging),
                "production": to_builtins(one.production),
                "seed": one.seed,
            }
            for one in baselines
        ],
    }
    return _ask(dbt, "release_prepare", job, Prepared, work=work)


def measure(dbt: Dbt, *, work: Path, pairs: Sequence[Pair], checks: Sequence[Query]) -> Measured:
    """Staging beside production, and the team's own checks; the transaction is read-only."""
    job = to_builtins({"pairs": list(pairs), "checks": list(checks)})
    return _ask(dbt, "release_measure", job, Measured, work=work)


def swap(
    dbt: Dbt,
    *,
    work: Path,
    place: ReleaseScope,
    record: ReleaseRecord,
    nonce: str,
    pairs: Sequence[SwapPair],
    dependents: Sequence[DependentObject],
    removed: Sequence[RemovedNode],
    new_schemas: Sequence[NewSchema] = (),
    tries: int,
    reader_wait_ms: int = READER_WAIT_MS,
) -> Swapped:
    """Bring the staged relations live, all in one transaction, or change nothing.

    Args:
        dbt: the caller's.
        work: the work folder.
        place: whose release it is.
        record: what is kept of it; its nodes name the keeping schemas.
        nonce: the one that ``prepare`` set as the fence.
        pairs: what to bring live.
        dependents: what was known to depend on production; what is new since then is told.
        removed: relations whose nodes left the project.
        new_schemas: schemas that the swap makes, with who may use them.
        tries: how often to try for the locks, some seconds apart.
        reader_wait_ms: how long each try may keep readers waiting behind it.

    Raises:
        ReleaseStepFailed: dbt failed; ask ``settled`` whether the swap happened.
    """
    kept = {node.unique_id: node for node in record.nodes}
    job = {
        **_fenced(place, nonce),
        **_release(record),
        "tries": tries,
        "reader_wait_ms": reader_wait_ms,
        "mark": _mark(place, record.release_id, "kept"),
        "staging_line": release_schemas.first_line(place, record.release_id, "staging"),
        "known": [one.full_name for one in dependents],
        "usable": {one.name: list(one.usable_by) for one in new_schemas},
        "pairs": [_swap_pair(one, kept.get(one.unique_id)) for one in pairs],
        "removed": [_spotted(one.unique_id, one.production) for one in removed],
    }
    return _ask(dbt, "release_swap", job, Swapped, work=work, not_done=UNKNOWN)


def take_back(
    dbt: Dbt,
    *,
    work: Path,
    place: ReleaseScope,
    nonce: str,
    records: Sequence[ReleaseRecord],
    restore_incremental: bool,
    tries: int,
    dry_run: bool,
    token: str,
    taken_at: str = "",
    reader_wait_ms: int = READER_WAIT_MS,
) -> TookBack:
    """Undo releases, all in one transaction, or change nothing.

    Args:
        dbt: the caller's.
        work: the work folder.
        place: whose releases they are.
        nonce: of the lease; it becomes the fence, unless a newer one is there.
        records: what is to be undone, newest first.
        restore_incremental: take out what the releases did to rows of incremental tables and
            snapshots, too; what others wrote to them since stays.
        tries: how often to try for the locks.
        dry_run: only say what would be done; nothing is written or locked.
        token: ends the names of the undone schemas, so that nobody can have taken them.
        taken_at: when the lease was taken, ISO 8601.
        reader_wait_ms: how long each try may keep readers waiting behind it.
    """
    job = {
        **_fenced(place, nonce, taken_at),
        "tries": tries,
        "reader_wait_ms": reader_wait_ms,
        "dry_run": dry_run,
        "restore_incremental": restore_incremental,
        "records": [
            {
                "release_id": record.release_id,
                "tag": record.tag,
                "mark": _mark(place, record.release_id, "undone"),
                "kept_line": release_schemas.first_line(place, record.release_id, "kept"),
                "nodes": [_back_node(node, record.release_id, token) for node in record.nodes],
            }
            for record in records
        ],
    }
    not_done = UNTOUCHED if dry_run else UNKNOWN
    return _ask(dbt, "release_take_back", job, TookBack, work=work, not_done=not_done)


def settled(
    dbt: Dbt, *, work: Path, place: ReleaseScope, release_id: str, nonce: str, taken_at: str = ""
) -> ReleaseState:
    """Whether a swap, or its take-back, was committed.

    Waits for one that is under way, and sets the fence, so that none comes after the answer: not
    even this run's own swap, which may go on trying in a session that dbt has lost.
    """
    job = {**_fenced(place, f"{nonce} has asked", taken_at), "release_id": release_id}
    return _ask(
        dbt,
        "release_settled",
        job,
        ReleaseState,  # type: ignore[arg-type]
        work=work,
        not_done=UNKNOWN,
    )


def drop_staging(dbt: Dbt, *, work: Path, place: ReleaseScope, release_id: str) -> tuple[str, ...]:
    """Drop the staging schemas of a release, those that bear its mark; gives their names."""
    job = {"line": release_schemas.first_line(place, release_id, "staging")}
    return _ask(dbt, "release_drop_staging", job, tuple[str, ...], work=work)


def clean_up(
    dbt: Dbt,
    *,
    work: Path,
    place: ReleaseScope,
    keep_hours: int,
    grace_days: int,
    dry_run: bool,
    nodes: Mapping[str, Spot],
    sources: Mapping[str, Spot],
) -> tuple[CleanedUp, ...]:
    """Drop what was kept long enough, where nothing outside hangs on it.

    Args:
        dbt: the caller's.
        work: the work folder.
        place: whose it is.
        keep_hours: age of keeping, undone and staging schemas that go.
        grace_days: age of relations whose nodes left the project.
        dry_run: only say what would be dropped.
        nodes: where the project's nodes are now, by their ids; their relations stay, and so does
            what a node of another name took over.
        sources: the same of what the project reads as sources.
    """
    job = {
        **to_builtins(place),
        "prefix": release_schemas.prefix(place),
        "keep_hours": keep_hours,
        "grace_days": grace_days,
        "spots": _named(nodes),
        "sources": _named(sources),
        "dry_run": dry_run,
    }
    return _ask(dbt, "release_clean_up", job, tuple[CleanedUp, ...], work=work)


def smoke(dbt: Dbt, *, work: Path, queries: Sequence[Query]) -> tuple[QueryResult, ...]:
    """Run queries in a read-only transaction, by whatever role ``dbt`` uses."""
    job = {"pairs": [], "checks": to_builtins(list(queries))}
    return _ask(dbt, "release_measure", job, Measured, work=work).checks


def _ask(
    dbt: Dbt,
    macro: str,
    job: Mapping[str, Any],
    answer: type[T],
    *,
    work: Path,
    not_done: str = UNTOUCHED,
) -> T:
    (said,) = run_job(
        dbt,
        macro,
        job,
        work=work,
        name=macro.replace("_", "-"),
        not_done=not_done,
        failure=errors.ReleaseStepFailed,
    )
    if said.startswith(b'{"untrusted"'):
        # The whole of it is one transaction, or had not begun.
        untrusted = json_codec.decode(said, _Refused).untrusted
        preflight.refuse_untrusted(untrusted, not_done=UNTOUCHED)
    return json_codec.decode(said, answer)


def _fenced(place: ReleaseScope, nonce: str, taken_at: str = "") -> dict[str, Any]:
    return {**to_builtins(place), "nonce": nonce, "taken_at": taken_at or None}


def _mark(place: ReleaseScope, release_id: str, role: release_schemas.Role) -> str:
    return release_schemas.mark(place, release_id, role, since=timestamps.now())


def _spotted(unique_id: str, spot: Spot) -> dict[str, str]:
    return {"unique_id": unique_id, **to_builtins(spot)}


def _release(record: ReleaseRecord) -> dict[str, Any]:
    return {
        "release_id": record.release_id,
        "tag": record.tag,
        "commit_sha": record.commit,
        "released_by": record.by,
        "run_url": record.run_url,
    }


def _swap_pair(pair: SwapPair, node: SwappedNode | None) -> dict[str, Any]:
    """A pair as the macro reads it. ``carries``: dbt would have altered the table, not made it."""
    kept_in = node.kept_in if node is not None else None
    return {
        "unique_id": pair.unique_id,
        "name": pair.name,
        "method": pair.method,
        **_place(pair.production),
        "staging_schema": pair.staging.schema,
        "staging_identifier": pair.staging.identifier,
        "keep": kept_in,
        "carries": node is not None and node.back_by == "leave",
        "expected_oid": pair.expected_oid,
        "expected_columns": [to_builtins(column) for column in pair.expected_columns],
        "managed": [privilege.upper() for privilege in pair.managed_privileges],
        "keys": list(pair.keys),
        "updates": None if pair.updates is None else list(pair.updates),
        "seed": pair.seed,
        "rows_before": pair.rows_before,
        "rows_after": pair.rows_after,
        "seconds": pair.seconds,
    }


def _back_node(node: SwappedNode, release_id: str, token: str) -> dict[str, Any]:
    return {
        "unique_id": node.unique_id,
        **_place(node.production),
        "kind": EXPECTED_KIND.get(node.materialized),
        "kept_in": node.kept_in,
        "undone": release_schemas.undone_schema(node.production.schema, release_id, token),
        "back_by": node.back_by,
        "columns": [to_builtins(column) for column in node.columns],
        "statements": list(node.statements),
    }


def _named(spots: Mapping[str, Spot]) -> list[dict[str, str]]:
    return [{"unique_id": unique_id, **_place(spot)} for unique_id, spot in spots.items()]


def _place(spot: Spot) -> dict[str, str]:
    return {"schema": spot.schema, "identifier": spot.identifier}
