"""What the store keeps of a release -> the work folder, for a run that goes on with it."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import json_codec
from dbtdeploy.context import release_files, work_files
from dbtdeploy.context.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.store import lineage, version_reader
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.versions import Index

KEPT = {release_files.RECORD: ReleaseRecord, release_files.RELEASE_PLAN: ReleasePlan}


def fetch(store: Store, work: Path, *, version: str | None = None) -> Index | None:
    """Bring plan, record and manifest of a release.

    Args:
        store: the environment's.
        work: the work folder.
        version: that holds them; the one that ``released.json`` names if None.

    Returns:
        The version's index; None where it is not there.
    """
    if version is None:
        version = work_files.read(work / release_files.RELEASED, Released).version
    index = lineage.reader(store)(version) if version else None
    if index is not None and artifact_check.MANIFEST in index.objects:
        manifest = version_reader.read_object(store, index, artifact_check.MANIFEST)
        (work / release_files.PRODUCTION_MANIFEST).write_bytes(manifest)
    for name, kind in KEPT.items():
        if index is not None and name in index.objects:
            content = version_reader.read_object(store, index, name)
            work_files.write(work / name, json_codec.decode(content, kind))
    return index
