"""What a rollback would do: the store's part read, the warehouse's answer turned into a plan."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from dbtdeploy.artifacts import artifact_check, artifacts, partial_manifest
from dbtdeploy.artifacts.artifacts import is_test
from dbtdeploy.base import errors, json_codec, text
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import InProduction, Rollback
from dbtdeploy.context.release_files import ReleaseRecord
from dbtdeploy.context.rollback_files import RollbackPlan, TakenRelease
from dbtdeploy.rollback import rollback_records, rollback_target
from dbtdeploy.rollback.rollback_target import Target
from dbtdeploy.store.inventory import Inventory
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader, versions
from dbtdeploy.store.publication.versions import Index
from dbtdeploy.warehouse.release_macro_types import TookBack

BROUGHT_BACK = ("restore", "recreate", "remove")
"""Ways by which a node is again what the version says that is gone back to."""


def draft(
    store: Store, target: Target, known: Sequence[ReleaseRecord], *, run: work_files.Run
) -> RollbackPlan:
    """The plan as far as the store knows it.

    Args:
        store: the environment's.
        target: what is gone back to.
        known: what the releases between did, the newest first.
        run: this run.

    Raises:
        StateCorrupt, StateVersionMissing: what is gone back to is not whole in the store.
    """
    policy = run.of(Rollback)
    leaving, to = target.leaving, target.to
    return RollbackPlan(
        environment=environment_of(run),
        asked=policy.version,
        nothing=target.nothing,
        from_version=leaving.version,
        from_tag=leaving.tag,
        from_commit=leaving.commit,
        to_version=to.version,
        to_tag=to.tag,
        to_commit=to.commit,
        to_sha256=_proven(store, to) if target.releases else "",
        releases=tuple(
            _taken(index, record) for index, record in zip(target.releases, known, strict=True)
        ),
        rebuild=to_build_again(store, leaving, to, known) if target.releases else (),
        restore_incremental=policy.restore_incremental,
        dry_run=policy.dry_run,
    )


def environment_of(run: work_files.Run) -> str:
    """GitHub's name of the environment that a run works on."""
    return run.of(InProduction).environment


def answered(plan: RollbackPlan, answer: TookBack) -> RollbackPlan:
    """The plan with what the warehouse says of it."""
    return replace(
        plan,
        restored=answer.restored,
        recreated=answer.recreated,
        left=answer.left,
        removed=answer.removed,
        columns_dropped=answer.columns_dropped,
        columns_stay=answer.columns_stay,
        repointed=answer.swapped.repointed,
    )


def refuse_missing(
    found: Inventory, target: Target, known: Sequence[ReleaseRecord], missing: Sequence[str]
) -> None:
    """Refuse what cannot be brought back, because kept relations are gone.

    Args:
        found: what the store holds.
        target: what was to be gone back to.
        known: what the releases between did, the newest first.
        missing: full names of kept relations that are gone.

    Raises:
        RollbackRefused: with the states whose kept relations are all there.
    """
    if not missing:
        return
    whole = 0
    for record in known:
        if any(_kept_by(record, name) for name in missing):
            break
        whole += 1
    reachable = tuple(way for way in rollback_target.states(found) if len(way.releases) <= whole)
    raise rollback_target.refused(
        found,
        f"{target.to.tag or target.to.version} cannot be brought back. These relations, kept for "
        "it, are gone; a clean-up drops them when `keep-hours` are over:\n"
        + text.bullets(missing, rollback_target.LISTED),
        reachable=reachable,
    )


def to_build_again(
    store: Store, leaving: Index, to: Index, known: Sequence[ReleaseRecord]
) -> tuple[str, ...]:
    """Nodes that will be in the warehouse otherwise than the version says that is gone back to.

    What was built in place, what stays as it is with another definition, and what deploys of other
    commits built since. Without both manifests, what the records name.
    """
    back = {
        node.unique_id for record in known for node in record.nodes if node.back_by in BROUGHT_BACK
    }
    direct = {unique_id for record in known for unique_id in record.direct}
    new, old = _manifest(store, leaving), _manifest(store, to)
    if new is None or old is None:
        return tuple(sorted(direct))
    other = {
        unique_id for unique_id in partial_manifest.pending(new, old, ()) if _is_kept(unique_id)
    }
    there = {unique_id for unique_id in direct | (other - back) if old.find(unique_id) is not None}
    return tuple(sorted(there))


def _is_kept(unique_id: str) -> bool:
    """Whether something of it stays in the warehouse."""
    return not is_test(unique_id)


def _manifest(store: Store, index: Index) -> artifacts.Manifest | None:
    try:
        content = version_reader.read_object(store, index, artifact_check.MANIFEST)
        return json_codec.decode(content, artifacts.Manifest)
    except (KeyError, msgspec.DecodeError, errors.StateCorrupt, errors.StateVersionMissing):
        # A rollback is for bad days: it does not fail for want of what it can do without.
        return None


def _proven(store: Store, index: Index) -> str:
    """The digest of a version's index, once each of its objects is whole.

    After the warehouse has gone back it would be too late to find out.
    """
    for name in index.objects:
        version_reader.read_object(store, index, name)
    stored = store.get(versions.index_key(index.version))
    if stored is None:
        raise errors.StateVersionMissing(
            f"Version {index.version} went away while this rollback looked at it.",
            not_done=rollback_target.UNTOUCHED,
            remedy="Run `command: versions` to see what there is, then roll back again.",
        )
    return versions.sha256(stored.body)


def _taken(index: Index, record: ReleaseRecord) -> TakenRelease:
    return TakenRelease(
        version=index.version,
        tag=record.tag,
        release_id=record.release_id if rollback_records.is_swapped(record) else "",
        commit=index.commit,
        at=index.created_at,
        direct=record.direct,
    )


def _kept_by(record: ReleaseRecord, full_name: str) -> bool:
    """Whether a kept relation is one of this release's; its schema bears the release's id."""
    return record.release_id in full_name
