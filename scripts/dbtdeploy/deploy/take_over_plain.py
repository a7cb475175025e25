"""Plain artifacts -> the first version of a store. The plain files stay: others may read them.

A deploy or a release on a store that has only the files of ``aws s3 cp target/…`` makes a version
of them before it changes anything, so that there is one to compare with and to roll back to.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from dbtdeploy.artifacts import artifact_check, artifacts
from dbtdeploy.base import crash, json_codec
from dbtdeploy.context.work_files import Event
from dbtdeploy.store.lease import lease
from dbtdeploy.store.lease.lease_messages import who
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import publish, version_reader, versions
from dbtdeploy.store.publication.versions import Index


class PlainState(Struct, frozen=True, kw_only=True):
    """The artifacts that lie directly in the store, checked."""

    contents: Mapping[str, bytes]
    manifest: artifact_check.ManifestMetadata
    project: str


class _Head(msgspec.Struct):
    metadata: artifacts.Metadata


def take_over(
    store: Store, *, environment: str, event: Event, nonce: str, moment: datetime
) -> Index | None:
    """Make the first version of the plain artifacts, if no version is there yet.

    Args:
        store: the environment's, fenced by us.
        environment: its name.
        event: who started the run.
        nonce: of the lease that we hold.
        moment: of publication.

    Returns:
        The version's index; None where there is a version already, or nothing to take over.

    Raises:
        LeaseLost: somebody has taken the lease since.
        StateCorrupt: an artifact is not what its name says, or the store gave back something else
            than was written; nothing became current.
    """
    pointer, _ = version_reader.read_current(store)
    if pointer is not None and pointer.version is not None:
        return None
    plain = read(store)
    if plain is None:
        return None
    draft = _draft(plain, environment, event)
    published = publish.publish(
        store,
        draft,
        plain.contents,
        moment=moment,
        nonce=nonce,
        by=event.run_url or who(event),
        claim=lambda version: lease.renew(store, nonce, publishing=version),
        read_back=True,
    )
    crash.point("taken-over")
    publish.copy_latest(store, plain.contents, prove=lambda: lease.renew(store, nonce))
    lease.renew(store, nonce, done=True)
    return published.index


def read(store: Store) -> PlainState | None:
    """The artifacts that lie directly in a store without versions; None without a manifest.

    Raises:
        StateCorrupt: an artifact is not what its name says.
    """
    contents, _ = version_reader.read_plain(store)
    if artifact_check.MANIFEST not in contents:
        return None
    for name, content in contents.items():
        if name != artifact_check.MANIFEST:
            artifact_check.check_artifact(name, content, source=store.address(name))
    source = store.address(artifact_check.MANIFEST)
    manifest = artifact_check.read_manifest(contents[artifact_check.MANIFEST], source=source)
    head = json_codec.decode(contents[artifact_check.MANIFEST], _Head)
    return PlainState(
        contents=contents, manifest=manifest, project=head.metadata.project_name or "unknown"
    )


def _draft(plain: PlainState, environment: str, event: Event) -> Index:
    manifest = plain.manifest
    return Index(
        version="",
        environment=environment,
        project=plain.project,
        kind=versions.ADOPTED,
        created_at="",
        objects={},
        commit=manifest.commit,
        created_by=who(event),
        event=event.name,
        run_url=event.run_url,
        run_id=event.run_id,
        run_attempt=event.run_attempt,
        dbt_version=manifest.dbt_version,
        adapter=manifest.adapter,
    )
