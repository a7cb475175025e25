"""Production's artifacts as fetched: what they are, who wrote them, whether to trust them.

Pure. Only ``metadata`` is built: msgspec checks the JSON of the rest without making objects of it
(40 MB in 0.04 s).

Sources: https://schemas.getdbt.com/dbt/manifest/v12.json, dbt/run-results/v6.json,
dbt/catalog/v1.json, dbt/sources/v3.json. ``metadata.env`` holds the variables named
``DBT_ENV_CUSTOM_ENV_<NAME>`` under ``<NAME>``, seen with dbt 1.11.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct, field

from dbtdeploy.base import errors, json_codec, text, timestamps
from dbtdeploy.context import work_files
from dbtdeploy.context.built_with import BuiltWith

MANIFEST = "manifest.json"
KINDS = {
    MANIFEST: "manifest",
    "run_results.json": "run-results",
    "catalog.json": "catalog",
    "sources.json": "sources",
}
"""The artifacts that are fetched, and what dbt calls each in its schema's address."""

ARTIFACTS = tuple(KINDS)

KNOWN_MANIFESTS = range(9, 13)
"""Manifest schemas of dbt 1.5 (v9) to 1.12 (v12)."""

COMMIT_VARIABLES = (
    "DBT_DEPLOY_COMMIT",
    "GITHUB_SHA",
    "DBT_CLOUD_GIT_SHA",
    "CI_COMMIT_SHA",
    "GIT_COMMIT",
    "GIT_SHA",
    "COMMIT_SHA",
)
"""Where teams leave the commit, as DBT_ENV_CUSTOM_ENV_<NAME>; the first that holds one counts."""

COMMIT = re.compile(r"[0-9a-f]{7,64}", re.IGNORECASE)
SCHEMA = re.compile(r"/dbt/([a-z-]+)/v(\d{1,4})(?:\.json)?$")
VERSION = re.compile(r"v?(\d{1,9})\.(\d{1,9})")

NOTHING_STARTED = "dbt was not started, nothing was written to the warehouse."


class Fetched(Struct, frozen=True, kw_only=True):
    """What a store gave.

    ``names`` lie in the destination folder under these names; ``denied`` are optional artifacts
    that the store refused, which may be there or not. Of plain files there is no ``version``.
    """

    names: tuple[str, ...]
    denied: tuple[str, ...] = ()
    version: str | None = None
    commit: str | None = None
    """That the version was built from, if its index says."""
    tag: str | None = None
    release_id: str | None = None
    built_with: BuiltWith | None = None
    keys: dict[str, str] = field(default_factory=dict)
    """Where in the store an artifact was, if not under its name."""


class ManifestMetadata(Struct, frozen=True, kw_only=True):
    """What a manifest says about its making."""

    dbt_version: str
    schema: int
    adapter: str | None
    generated_at: str | None
    """ISO 8601, UTC."""
    commit: str | None

    @property
    def is_known(self) -> bool:
        """Whether its schema is one that dbt-deploy was tried with."""
        return self.schema in KNOWN_MANIFESTS


class _Metadata(msgspec.Struct):
    dbt_schema_version: str | None = None
    dbt_version: str | None = None
    adapter_type: str | None = None
    generated_at: str | None = None
    env: dict[str, object] | None = None


class _Artifact(msgspec.Struct):
    metadata: _Metadata


class _WithNodes(_Artifact):
    nodes: msgspec.Raw


_A = TypeVar("_A", bound=_Artifact)


def read_manifest(content: bytes, *, source: str) -> ManifestMetadata:
    """Check a manifest and read what it says about itself.

    Args:
        content: the whole file.
        source: the object's address, for messages.

    Raises:
        StateCorrupt: it is not JSON, cut short, or no manifest of dbt's.
    """
    found = _decode(content, _WithNodes, source)
    schema = _schema(MANIFEST, found.metadata, content, source)
    version = found.metadata.dbt_version
    if not version or not VERSION.match(version):
        raise _corrupt(source, content, f"names no dbt version (metadata.dbt_version: {version!r})")
    if not bytes(found.nodes).startswith(b"{"):
        raise _corrupt(source, content, "has no nodes")
    return ManifestMetadata(
        dbt_version=version,
        schema=schema,
        adapter=found.metadata.adapter_type,
        generated_at=_utc(found.metadata.generated_at),
        commit=_commit(found.metadata.env or {}),
    )


def check_artifact(name: str, content: bytes, *, source: str) -> None:
    """Check an artifact that comes beside the manifest.

    Args:
        name: one of ``ARTIFACTS``.
        content: the whole file.
        source: the object's address, for messages.

    Raises:
        StateCorrupt: it is not JSON, cut short, or not the artifact that its name says.
    """
    found = _decode(content, _Artifact, source)
    _schema(name, found.metadata, content, source)


def refuse_newer(manifest: ManifestMetadata, installed: str, *, source: str) -> None:
    """Refuse state that a newer dbt wrote; patch releases may differ.

    dbt 1.8 crashes on the v12 manifest of 1.11, and nothing in the schema's number tells them
    apart: the version does.

    Args:
        manifest: production's.
        installed: the version of dbt-core that would read it.
        source: the manifest's address.

    Raises:
        StateTooNew: names both versions.
    """
    if _minor(manifest.dbt_version) <= _minor(installed):
        return
    wanted = ".".join(map(str, _minor(manifest.dbt_version)))
    raise errors.StateTooNew(
        f"{source} was written by dbt {manifest.dbt_version}; this job has dbt {installed}, which "
        "cannot be trusted to read it.",
        not_done=NOTHING_STARTED,
        remedy=f"Use dbt {wanted} or newer here (the input `dbt`), or have production write its "
        f"artifacts with dbt {installed}.",
    )


def found_state(location: str, manifest: ManifestMetadata, fetched: Fetched) -> work_files.State:
    """What ``state.json`` says when there is state."""
    return work_files.State(
        location=location,
        found=True,
        dbt_version=manifest.dbt_version,
        adapter=manifest.adapter,
        generated_at=manifest.generated_at,
        commit=fetched.commit or manifest.commit,
        artifacts=fetched.names,
        version=fetched.version,
        tag=fetched.tag,
        release_id=fetched.release_id,
        built_with=fetched.built_with,
    )


def describe(state: work_files.State, now: datetime) -> str:
    """One line for the log: what was fetched, from where, by which dbt, how old."""
    adapter = f" ({state.adapter})" if state.adapter else ""
    made = timestamps.parse(state.generated_at)
    age = f", {text.age(int((now - made).total_seconds()))}" if made else ""
    commit = f", commit {state.commit[:7]}" if state.commit else ""
    listed = ", ".join(state.artifacts)
    version = f", version {state.version}" if state.version else ""
    return (
        f"State from {state.location}{version}: {listed}; "
        f"written by dbt {state.dbt_version}{adapter}{age}{commit}."
    )


def _decode(content: bytes, kind: type[_A], source: str) -> _A:
    try:
        return json_codec.decode(content, kind)
    except msgspec.ValidationError as cause:
        raise _corrupt(source, content, f"is not an artifact of dbt's: {cause}") from None
    except msgspec.DecodeError as cause:
        cut = not content or "truncated" in str(cause)
        said = "is cut short" if cut else f"is not JSON: {cause}"
        raise _corrupt(source, content, said) from None


def _schema(name: str, metadata: _Metadata, content: bytes, source: str) -> int:
    """The number of the artifact's schema, once its kind is the one that the name promises."""
    address = metadata.dbt_schema_version or ""
    match = SCHEMA.search(address)
    if match is None or match[1] != KINDS[name]:
        raise _corrupt(
            source,
            content,
            f"is not a {KINDS[name]} of dbt's (metadata.dbt_schema_version: {address!r})",
        )
    return int(match[2])


def _corrupt(source: str, content: bytes, said: str) -> errors.StateCorrupt:
    return errors.StateCorrupt(
        f"{source} ({len(content):,} bytes) {said}.",
        not_done=NOTHING_STARTED,
        remedy="Write production's artifacts again, by a new production run or by copying them "
        "once more from its target folder, then run this job again.",
    )


def _minor(version: str) -> tuple[int, int]:
    match = VERSION.match(version)
    return (int(match[1]), int(match[2])) if match else (0, 0)


def _utc(text: str | None) -> str | None:
    moment = timestamps.parse(text)
    return timestamps.written(moment) if moment else None


def _commit(env: dict[str, object]) -> str | None:
    for name in COMMIT_VARIABLES:
        value = env.get(name)
        if isinstance(value, str) and COMMIT.fullmatch(value):
            return value
    return None
