"""What releases did, as they left word in the store: ``release.json`` of their versions."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from dbtdeploy.base import json_codec
from dbtdeploy.context import release_files
from dbtdeploy.context.release_files import ReleaseRecord
from dbtdeploy.rollback.rollback_target import Target
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader, versions
from dbtdeploy.store.publication.versions import Index


def of(store: Store, target: Target) -> tuple[ReleaseRecord, ...]:
    """What each release that is taken back did, the newest first.

    Raises:
        StateCorrupt, StateVersionMissing: the store does not give it whole.
    """
    return tuple(read(store, index) for index in target.releases)


def read(store: Store, index: Index) -> ReleaseRecord:
    """``release.json`` of a version that a release published; without nodes where it has none."""
    if release_files.RECORD not in index.objects:
        # Without it nothing is known of what was kept.
        return ReleaseRecord(
            release_id="",
            tag=index.tag or index.version,
            commit=index.commit or "",
            environment=index.environment,
            project=index.project,
            before=index.previous,
        )
    content = version_reader.read_object(store, index, release_files.RECORD)
    try:
        return json_codec.decode(content, ReleaseRecord)
    except msgspec.DecodeError as cause:
        key = versions.object_key(index.version, index.objects[release_files.RECORD])
        raise versions.corrupt(store.address(key), f"is no record of a release: {cause}") from None


def is_swapped(record: ReleaseRecord) -> bool:
    """Whether the warehouse knows a release: not one that built all it brought in place."""
    return bool(record.release_id) and (bool(record.nodes) or not record.direct)


def swapped(known: Sequence[ReleaseRecord]) -> tuple[ReleaseRecord, ...]:
    """Those that the warehouse must take back."""
    return tuple(record for record in known if is_swapped(record))
