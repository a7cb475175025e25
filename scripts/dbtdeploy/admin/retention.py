"""Which versions go, which stay, and why. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from dbtdeploy.base import text, timestamps
from dbtdeploy.store import inventory, lineage
from dbtdeploy.store.inventory import Inventory, VersionFolder

LEFTOVER_AGE = timedelta(days=1)
"""Objects without an index may be those of a run that is uploading; after a day they are not."""

CLEAN_UP_AGE = timedelta(days=1)
"""Between two clean-ups, which drop what a rollback would move back."""


class RetentionPolicy(Struct, frozen=True, kw_only=True):
    """The inputs ``retention-days``, ``keep-versions`` and ``keep-hours``."""

    days: int
    keep: int
    hours: int = 24
    """How long what a release replaced is kept in the warehouse."""


class Decision(Struct, frozen=True, kw_only=True):
    """What happens to one version or failed run, and why."""

    folder: VersionFolder
    state: str
    goes: bool
    why: str


class Decisions(Struct, frozen=True, kw_only=True):
    """All of them, newest first, and the keys of probes that a killed run left."""

    versions: tuple[Decision, ...]
    failed: tuple[Decision, ...]
    probes: tuple[str, ...] = ()

    @property
    def going(self) -> tuple[Decision, ...]:
        """What is to be removed."""
        return tuple(item for item in (*self.versions, *self.failed) if item.goes)

    @property
    def freed(self) -> int:
        """Bytes that go."""
        return sum(item.folder.size for item in self.going)

    @property
    def stays(self) -> int:
        """Bytes that stay."""
        every = (*self.versions, *self.failed)
        return sum(item.folder.size for item in every if not item.goes)


def decide(
    found: Inventory, policy: RetentionPolicy, now: datetime, *, under_way: str | None = None
) -> Decisions:
    """Decide about everything there is.

    Args:
        found: what the store holds.
        policy: how much is kept.
        now: by the store's clock, or near it.
        under_way: the version that a stopped release or rollback was about to make current.
    """
    since = now - timedelta(days=policy.days)
    reasons = _reasons(found, policy, since) | _of_rollback(found, policy, now)
    reasons |= _under_way(found, under_way)
    return Decisions(
        versions=tuple(_of_version(found, item, reasons, policy, now) for item in found.versions),
        failed=tuple(_of_failed(found, item, policy, since) for item in found.failed),
        probes=tuple(e.key for e in found.probes if e.modified < now - LEFTOVER_AGE),
    )


def _reasons(found: Inventory, policy: RetentionPolicy, since: datetime) -> dict[str | None, str]:
    """Why a version stays whatever its age, by its name; the strongest reason counts."""
    pointer, published = found.pointer, found.published
    by_name = {folder.name: folder for folder in found.versions if folder.index}
    reasons: dict[str | None, str] = {}
    usable = [name for name in by_name if name in published]
    for name in usable[: policy.keep]:
        reasons[name] = f"one of the newest {policy.keep}"
    # Each was current until the next one was made; a rollback can go back to that time.
    until = timestamps.parse(pointer.moved_at)
    for name in pointer.history:
        if until is None or until >= since:
            reasons[name] = f"was current within {_days(policy)}"
        after = by_name.get(name)
        until = after.made if after else until
    current = by_name.get(pointer.version or "")
    before = current.index.previous if current and current.index else None
    for last in (before, *pointer.history[:1]):
        reasons[last] = "was current before this one"
    reasons[pointer.version] = "is current"
    return reasons


def _of_rollback(found: Inventory, policy: RetentionPolicy, now: datetime) -> dict[str | None, str]:
    """What a rollback needs while the warehouse keeps relations for it, by name.

    That is the way from the current version to the one that a release found. A clean-up drops them
    some time after their hours are over, so there is a day more.
    """
    since = now - timedelta(hours=policy.hours) - CLEAN_UP_AGE
    way: list[str] = []
    needed: dict[str | None, str] = {}
    pointer = found.pointer
    for index in lineage.walk(lineage.listed(found), pointer.version):
        way.append(index.version)
        made = timestamps.parse(index.created_at)
        if lineage.is_release(index) and made is not None and made >= since:
            name = index.tag or index.version
            way.append(index.previous or "")
            needed |= dict.fromkeys(way, f"a rollback of {name} needs it")
            way.clear()
    needed.pop(pointer.version, None)
    return needed


def _under_way(found: Inventory, version: str | None) -> dict[str | None, str]:
    """What the next run needs to finish a release or rollback, by name."""
    if version is None:
        return {}
    chain = [index.version for index in lineage.walk(lineage.listed(found), found.pointer.version)]
    way = chain[1 : chain.index(version)] if version in chain[1:] else []
    return dict.fromkeys([*way, version], "a run that was stopped needs it, to be finished")


def _of_version(
    found: Inventory,
    folder: VersionFolder,
    reasons: dict[str | None, str],
    policy: RetentionPolicy,
    now: datetime,
) -> Decision:
    state = found.state_of(folder)
    since = now - timedelta(days=policy.days)
    if state == inventory.INCOMPLETE:
        goes = folder.written < now - LEFTOVER_AGE
        why = "has no index: left by a killed run" if goes else "has no index yet"
    elif folder.name in reasons:
        goes, why = False, reasons[folder.name]
    else:
        goes, why = _by_age(folder, policy, since)
    return Decision(folder=folder, state=state, goes=goes, why=why)


def _of_failed(
    found: Inventory, folder: VersionFolder, policy: RetentionPolicy, since: datetime
) -> Decision:
    goes, why = _by_age(folder, policy, since)
    if folder.index is not None and folder.index.previous == found.pointer.version:
        goes, why = False, "failed since the current version: `build: modified` reads it"
    return Decision(folder=folder, state="failed run", goes=goes, why=why)


def _by_age(folder: VersionFolder, policy: RetentionPolicy, since: datetime) -> tuple[bool, str]:
    goes = folder.made < since
    return goes, f"{'older' if goes else 'younger'} than {_days(policy)}"


def _days(policy: RetentionPolicy) -> str:
    return text.plural(policy.days, "day")
