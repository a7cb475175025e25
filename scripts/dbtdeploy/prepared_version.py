"""The version of a release: written before the swap, and current only after it."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import msgspec
from msgspec.structs import replace

from dbtdeploy import (
    crash,
    errors,
    files,
    gather,
    kept_parse,
    lease,
    publish,
    release_files,
    release_refusals,
    released_results,
    retry_state,
    settings,
    state,
    unsettled,
    versions,
)
from dbtdeploy.deploy_files import LEASE, HeldLease
from dbtdeploy.objects import Store
from dbtdeploy.release_files import ReleaseRecord
from dbtdeploy.swap_job import Known
from dbtdeploy.unsettled import Unsettled


def write(
    store: Store, run: files.Run, work: Path, known: Known, record: ReleaseRecord
) -> Unsettled:
    """Write objects and index, and the record that names them; the pointer stays where it is.

    Args:
        store: the environment's.
        run: this run.
        work: the work folder.
        known: what earlier steps found out.
        record: what is kept of the release.

    Returns:
        ``unsettled_release.json`` as it is now.

    Raises:
        LeaseLost: the release that is under way is another one.
    """
    nonce = files.read(work / LEASE, HeldLease).nonce
    gathered = _gathered(store, run, work, known)
    more = {
        release_files.RECORD: msgspec.json.encode(record),
        release_files.RELEASE_PLAN: msgspec.json.encode(known.plan),
    }
    index = publish.prepare(
        store,
        gathered.draft,
        {**gathered.contents, **more},
        moment=datetime.now(timezone.utc),
        nonce=nonce,
        claim=lambda _: lease.renew(store, nonce),
        parse=kept_parse.beside(work, gathered.contents[state.MANIFEST], say=print),
    )
    crash.point("release-version")
    there = unsettled.read(store)
    if there is None or there.release_id != record.release_id:
        raise errors.LeaseLost(
            f"{store.address(unsettled.KEY)} is not this release's any more.",
            not_done=release_refusals.AS_BEFORE,
            remedy="Look who works on the environment (`command: status`), then release again.",
        )
    under_way = replace(
        there,
        phase="swapping",
        version=index.version,
        index_sha256=versions.sha256(versions.encode(index)),
    )
    unsettled.write(store, under_way)
    crash.point("release-prepared")
    return under_way


def _gathered(store: Store, run: files.Run, work: Path, known: Known) -> gather.Gathered:
    """The artifacts; without a node to build there are no results, as where models only went."""
    path = work / files.RUN_RESULTS
    built = path.read_bytes() if path.is_file() else retry_state.as_errors(())
    rows = {node.unique_id: node.rows_after for node in known.plan.nodes}
    return gather.release(
        work,
        run,
        settings.redactor(),
        released_results.in_production(built, known.manifest, rows),
        unsettled=retry_state.failed_since(store),
    )
