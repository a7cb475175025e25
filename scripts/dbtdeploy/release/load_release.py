"""What the store keeps of a release -> the work folder, for a run that goes on with it."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import json_codec
from dbtdeploy.context import hand_over, release_files
from dbtdeploy.context.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.store import lineage
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader
from dbtdeploy.store.publication.versions import Index

KEPT: tuple[type[ReleaseRecord | ReleasePlan], ...] = (ReleaseRecord, ReleasePlan)


def fetch(store: Store, work: Path, *, version: str | None = None) -> Index | None:
    """Bring plan, record and manifest of a release.

    Args:
        store: the environment's.
        work: the work folder.
        version: that holds them; the one that ``Released`` names if None.

    Returns:
        The version's index; None where it is not there.
    """
    if version is None:
        version = hand_over.read(work, Released).version
    index = lineage.reader(store)(version) if version else None
    if index is not None and artifact_check.MANIFEST in index.objects:
        manifest = version_reader.read_object(store, index, artifact_check.MANIFEST)
        (work / release_files.PRODUCTION_MANIFEST).write_bytes(manifest)
    for kind in KEPT:
        if index is not None and kind.FILE in index.objects:
            content = version_reader.read_object(store, index, kind.FILE)
            hand_over.write(work, json_codec.decode(content, kind))
    return index
