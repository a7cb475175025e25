"""Plain artifacts -> the first version of a store. The plain files stay: others may read them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

import msgspec
from msgspec import Struct

from dbtdeploy.artifacts import artifact_check, artifacts
from dbtdeploy.base import errors, json_codec
from dbtdeploy.context.deploy_files import StoreCommand
from dbtdeploy.store import lease, publish, versions
from dbtdeploy.store.lease_messages import who
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.versions import Index

NOT_DONE = "Nothing was written."


class PlainState(Struct, frozen=True, kw_only=True):
    """The artifacts that lie directly in the store, checked."""

    contents: Mapping[str, bytes]
    manifest: artifact_check.ManifestMetadata
    project: str

    @property
    def names(self) -> str:
        """Of the artifacts, for people."""
        return ", ".join(self.contents)


class _Head(msgspec.Struct):
    metadata: artifacts.Metadata


def read_plain(store: Store) -> PlainState:
    """Read and check what is to be adopted.

    Raises:
        StateMissing: there is no plain manifest.
        StateCorrupt: an artifact is not what its name says.
    """
    found = {name: store.get(name) for name in artifact_check.ARTIFACTS}
    contents = {name: stored.body for name, stored in found.items() if stored is not None}
    if artifact_check.MANIFEST not in contents:
        raise errors.StateMissing(
            f"There is no {artifact_check.MANIFEST} in {store.location}.",
            not_done=NOT_DONE,
            remedy="Give the place that holds production's plain artifacts as `state`. Where there "
            "are none, deploy: the first deploy makes the first version.",
        )
    for name, content in contents.items():
        if name != artifact_check.MANIFEST:
            artifact_check.check_artifact(name, content, source=store.address(name))
    source = store.address(artifact_check.MANIFEST)
    manifest = artifact_check.read_manifest(contents[artifact_check.MANIFEST], source=source)
    head = json_codec.decode(contents[artifact_check.MANIFEST], _Head)
    return PlainState(
        contents=contents, manifest=manifest, project=head.metadata.project_name or "unknown"
    )


def adopt(
    store: Store, plain: PlainState, asked: StoreCommand, *, nonce: str, moment: datetime
) -> Index:
    """Publish the plain artifacts as the first version; the pointer moves once they read back.

    Args:
        store: the environment's.
        plain: what to adopt.
        asked: who asked for it.
        nonce: of the lease that we hold.
        moment: of publication.

    Raises:
        StateCorrupt: the store gave back something else than was written.
    """
    event, manifest = asked.event, plain.manifest
    draft = Index(
        version="",
        environment=asked.environment,
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
    publish.copy_latest(store, plain.contents, prove=lambda: lease.renew(store, nonce))
    lease.renew(store, nonce, done=True)
    return published.index
