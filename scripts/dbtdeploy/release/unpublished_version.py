"""The version of a release: written before the swap, and current only after it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import msgspec
from msgspec.structs import replace

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import actions_runner, crash, errors, settings, stored_records
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import HeldLease
from dbtdeploy.context.release_files import ReleasePlan, ReleaseRecord
from dbtdeploy.dbt import partial_parse_upload
from dbtdeploy.deploy import collect_artifacts, redact_artifacts
from dbtdeploy.release import release_refusals, results_in_production
from dbtdeploy.release.swap_request import Known
from dbtdeploy.store import failed_nodes, in_flight
from dbtdeploy.store.in_flight import InFlight
from dbtdeploy.store.lease import lease
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import publish, versions


def write(
    store: Store, run: work_files.Run, work: Path, known: Known, record: ReleaseRecord
) -> InFlight:
    """Write objects and index, and the record that names them; the pointer stays where it is.

    Args:
        store: the environment's.
        run: this run.
        work: the work folder.
        known: what earlier steps found out.
        record: what is kept of the release.

    Returns:
        ``release_in_flight.json`` as it is now.

    Raises:
        LeaseLost: the release that is under way is another one.
    """
    nonce = hand_over.read(work, HeldLease).nonce
    gathered = _gathered(store, run, work, known)
    redact_artifacts.warn(gathered.secrets_left)
    records = {ReleaseRecord.FILE: record, ReleasePlan.FILE: known.plan}
    more = {
        name: stored_records.redacted(msgspec.json.encode(one), settings.redactor())
        for name, one in records.items()
    }
    index = publish.prepare(
        store,
        gathered.draft,
        {**gathered.contents, **more},
        moment=datetime.now(timezone.utc),
        nonce=nonce,
        claim=lambda _: lease.renew(store, nonce),
        parse=partial_parse_upload.beside(
            work, gathered.contents[artifact_check.MANIFEST], say=actions_runner.say
        ),
    )
    crash.point("release-version")
    there = in_flight.read(store)
    if there is None or there.release_id != record.release_id:
        raise errors.LeaseLost(
            f"{store.address(in_flight.KEY)} is not this release's any more.",
            not_done=release_refusals.AS_BEFORE,
            remedy="Look who works on the environment (`command: status`), then release again.",
        )
    under_way = replace(
        there,
        phase="swapping",
        version=index.version,
        index_sha256=versions.sha256(versions.encode(index)),
    )
    in_flight.write(store, under_way)
    crash.point("release-prepared")
    return under_way


def _gathered(
    store: Store, run: work_files.Run, work: Path, known: Known
) -> collect_artifacts.CollectedArtifacts:
    """The artifacts; without a node to build there are no results, as where models only went."""
    path = work / work_files.RUN_RESULTS
    built = path.read_bytes() if path.is_file() else failed_nodes.as_errors(())
    rows = {node.unique_id: node.rows_after for node in known.plan.nodes}
    return collect_artifacts.release(
        work,
        run,
        settings.redactor(),
        results_in_production.in_production(built, known.manifest, rows),
        unsettled=failed_nodes.failed_since(store),
    )
