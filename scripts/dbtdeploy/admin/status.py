"""What an environment runs, who may change it and who is at it: reads only."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone

from msgspec import Struct, field

from dbtdeploy.admin import status_release
from dbtdeploy.admin.status_release import ReleaseStatus
from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import errors, text, timestamps
from dbtdeploy.store import environment_settings, failed_nodes
from dbtdeploy.store.environment_settings import EnvironmentSettings
from dbtdeploy.store.lease import lease, lease_record
from dbtdeploy.store.lease.lease import Seen
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader
from dbtdeploy.store.publication.versions import Index, Pointer

NAMES_SHOWN = 20
"""Of pending nodes."""

ROLLED_BACK = "rollback"
"""Event of a record like a failed run's, of what a rollback left to be built again."""

DRIVERS = {
    environment_settings.DEPLOY: "deploy: each merge goes live",
    environment_settings.RELEASE: "release: only version tags go live",
}


class PlainArtifacts(Struct, frozen=True, kw_only=True):
    """Artifacts that dbt-deploy did not put there."""

    generated_at: str | None
    commit: str | None


class Status(Struct, frozen=True, kw_only=True):
    """One look at an environment. ``now`` is the store's clock, or ours where it told none."""

    location: str
    now: datetime
    pointer: Pointer | None
    index: Index | None
    plain: PlainArtifacts | None
    decided: EnvironmentSettings
    lease: Seen | None
    releases: ReleaseStatus = field(default_factory=ReleaseStatus)
    failed: Index | None = None
    """The newest deploy that failed since the current version."""
    problems: tuple[str, ...] = ()
    """What could not be read, and why."""

    @property
    def version(self) -> str | None:
        """The current one."""
        return self.pointer.version if self.pointer else None

    def ref(self, event_sha: str) -> str:
        """The commit that a deploy checks out: the event's, or the live one if releases drive."""
        live = self.index.commit if self.index else None
        return (
            (live or event_sha)
            if self.decided.driver == environment_settings.RELEASE
            else event_sha
        )


class StatusRow(Struct, frozen=True, kw_only=True):
    """One line of what people read."""

    label: str
    text: str
    url: str = ""
    code: bool = False


def read(store: Store) -> Status:
    """Look at an environment; what is damaged is told, and hides nothing else.

    Raises:
        StoreTooNew: a newer dbt-deploy wrote it.
        StateAccessDenied and others: see ``s3_client.py``.
    """
    problems: list[str] = []
    pointer: Pointer | None = None
    index: Index | None = None
    plain: PlainArtifacts | None = None
    decided, seen = EnvironmentSettings(), None
    try:
        pointer, _ = version_reader.read_current(store)
        if pointer is not None and pointer.version is not None:
            index = version_reader.read_index(store, pointer)
        else:
            plain = _plain(store)
    except (errors.StateCorrupt, errors.StateVersionMissing) as damage:
        problems.append(damage.what)
    try:
        decided = environment_settings.read(store)
    except errors.StateCorrupt as damage:
        problems.append(damage.what)
    try:
        seen = lease.read(store)
    except errors.StateCorrupt as damage:
        problems.append(damage.what)
    releases = status_release.read(store, pointer, index)
    problems += [releases.problem] if releases.problem else []
    return Status(
        location=store.location,
        now=seen.now if seen else datetime.now(timezone.utc),
        pointer=pointer,
        index=index,
        plain=plain,
        decided=decided,
        lease=seen,
        releases=releases,
        failed=None if problems else _failed(store, index, seen),
        problems=tuple(problems),
    )


def rows(status: Status) -> list[StatusRow]:
    """What people read of it, line by line."""
    return [
        *_live(status),
        *_since(status),
        *_releases(status),
        StatusRow(label="Driver", text=DRIVERS.get(status.decided.driver, status.decided.driver)),
        _hold(status),
        _lease(status),
        *(StatusRow(label="Problem", text=_line(problem)) for problem in status.problems),
    ]


def _live(status: Status) -> Iterator[StatusRow]:
    index = status.index
    if index is None:
        if status.version is not None:
            yield StatusRow(label="Version", text=status.version, code=True)
        elif status.plain is not None:
            yield from _plain_rows(status.plain, status.now)
        elif not status.problems:
            yield StatusRow(label="Version", text="none: nothing was published here yet")
        return
    yield StatusRow(label="Version", text=index.version, code=True)
    if index.tag is not None:
        yield StatusRow(label="Tag", text=index.tag, code=True)
    yield StatusRow(label="Commit", text=index.commit or "not known", code=bool(index.commit))
    by = f" by {index.created_by}" if index.created_by else ""
    yield StatusRow(
        label="Published", text=_line(_when(index.created_at, status.now) + by), url=index.run_url
    )
    if index.pending:
        yield StatusRow(
            label=f"Pending ({len(index.pending):,})",
            text=_line(text.first(index.pending, NAMES_SHOWN)),
        )


def _since(status: Status) -> Iterator[StatusRow]:
    failed = status.failed
    if failed is not None:
        when = _when(failed.created_at, status.now)
        said = f"a deploy failed {when}; what it had built is newer than this version"
        if failed.event == ROLLED_BACK and failed.problem:
            said = failed.problem
        yield StatusRow(label="Since then", text=_line(said), url=failed.run_url)


def _releases(status: Status) -> Iterator[StatusRow]:
    for label, said, url in status_release.rows(status.releases, status.now):
        yield StatusRow(label=label, text=_line(said), url=url)


def _plain_rows(plain: PlainArtifacts, now: datetime) -> Iterator[StatusRow]:
    yield StatusRow(
        label="Version",
        text="none yet: there are plain artifacts, which the first deploy or release takes over",
    )
    yield StatusRow(label="Commit", text=plain.commit or "not known", code=bool(plain.commit))
    yield StatusRow(label="Built", text=_when(plain.generated_at, now))


def _hold(status: Status) -> StatusRow:
    hold = status.decided.hold
    if hold is None:
        return StatusRow(label="Hold", text="none")
    since = timestamps.since(hold.since, status.now)
    return StatusRow(
        label="Hold", text=_line(f"{hold.by}, since {since}: {hold.reason}"), url=hold.run_url
    )


def _lease(status: Status) -> StatusRow:
    seen = status.lease
    if seen is None or seen.lease.state == lease_record.FREE:
        return StatusRow(label="Lease", text="free")
    record, until = seen.lease, timestamps.clock(seen.expires, seen.now)
    told = f"{record.holder}, {record.purpose}, since {timestamps.since(record.taken_at, seen.now)}"
    if record.state == lease_record.BROKEN:
        text = f"free: {record.broken_by} broke it ({record.reason}); it was that of {told}"
    elif seen.expired:
        text = f"free: it expired at {until}; it was that of {told}"
    else:
        text = f"{told}; expires at {until} unless it is renewed"
    return StatusRow(label="Lease", text=_line(text), url=record.run_url)


def _failed(store: Store, index: Index | None, seen: Seen | None) -> Index | None:
    """The newest failed run, but for the one that is still at work."""
    at_work = seen.lease.run_url if seen and not seen.is_open else None
    followed = failed_nodes.failed_runs(store, index)
    return next((found for found in followed if not at_work or found.run_url != at_work), None)


def _plain(store: Store) -> PlainArtifacts | None:
    found = store.get(artifact_check.MANIFEST)
    if found is None:
        return None
    manifest = artifact_check.read_manifest(
        found.body, source=store.address(artifact_check.MANIFEST)
    )
    return PlainArtifacts(generated_at=manifest.generated_at, commit=manifest.commit)


def _when(written: str | None, now: datetime) -> str:
    moment = timestamps.parse(written)
    if moment is None:
        return "at a time unknown"
    return f"{timestamps.for_people(written)}, {text.age((now - moment).total_seconds())}"


def _line(text: str) -> str:
    return " ".join(text.split())
