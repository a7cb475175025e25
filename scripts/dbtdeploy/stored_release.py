"""What the store keeps of a release -> the work folder, for a run that goes on with it."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy import files, lineage, read_version, release_files, state, typed_json
from dbtdeploy.objects import Store
from dbtdeploy.release_files import Released, ReleasePlan, ReleaseRecord
from dbtdeploy.versions import Index

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
        version = files.read(work / release_files.RELEASED, Released).version
    index = lineage.reader(store)(version) if version else None
    if index is not None and state.MANIFEST in index.objects:
        manifest = read_version.read_object(store, index, state.MANIFEST)
        (work / release_files.PRODUCTION_MANIFEST).write_bytes(manifest)
    for name, kind in KEPT.items():
        if index is not None and name in index.objects:
            content = read_version.read_object(store, index, name)
            files.write(work / name, typed_json.decode(content, kind))
    return index
