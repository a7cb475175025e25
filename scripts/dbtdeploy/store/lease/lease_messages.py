"""What is said about a lease. Pure."""

from __future__ import annotations

from datetime import datetime

from dbtdeploy.base import errors, text, timestamps
from dbtdeploy.context.work_files import Event
from dbtdeploy.store.lease.lease_record import BROKEN, Lease

NOTHING_BUILT = "Nothing was built, nothing was published."


def who(event: Event) -> str:
    """The person behind a run."""
    return event.actor or "somebody without a login"


def held(
    lease: Lease, *, now: datetime, expires: datetime, environment: str, waited: float, run_url: str
) -> errors.LeaseHeld:
    """The failure of a run that finds another at work.

    Args:
        lease: the other's.
        now: by the store's clock.
        expires: by the store's clock, unless it is renewed.
        environment: GitHub's name of it.
        waited: seconds that this run has waited.
        run_url: this run's.
    """
    until = timestamps.clock(expires, now)
    patience = f" This run waited {text.lasted(waited)} for it." if waited else ""
    own = (
        "\nThat is an earlier attempt of this very run, which ended without releasing it."
        if run_url and lease.run_url == run_url
        else ""
    )
    return errors.LeaseHeld(
        f"{lease.holder} has held {environment} since {timestamps.since(lease.taken_at, now)}: "
        f"{lease.purpose}{', ' + lease.run_url if lease.run_url else ''}.{own}\n"
        f"The lease expires at {until} unless it is renewed.{patience}",
        not_done=NOTHING_BUILT,
        remedy="To wait for it, set `wait-minutes` (such as 60), or run this again later. If that "
        f"run is dead, its lease can be taken from {until} on. To break in before, make sure that "
        "it has ended, and run `command: break-lease` with a `reason`.",
    )


def lost(address: str, lease: Lease | None, nonce: str) -> errors.LeaseLost:
    """The failure of a run whose lease is not its own any more.

    Args:
        address: the lease's.
        lease: as it is now.
        nonce: of the lease that the run had.
    """
    remedy = "See who works on the environment (`command: status`), then run this again."
    if lease is None:
        what = f"{address}, which held this run's lease, is gone."
    elif lease.nonce != nonce:
        at = timestamps.for_people(lease.taken_at) or "a time unknown"
        what = f"This run's lease expired or was broken. {lease.description}, took it over at {at}."
    elif lease.state == BROKEN:
        at = timestamps.for_people(lease.broken_at) or "a time unknown"
        what = f"{lease.broken_by} broke this run's lease at {at}: {lease.reason}"
    else:
        what = "This run's lease was released already."
    return errors.LeaseLost(
        what,
        not_done="This run builds and publishes nothing more; the lease was left as it is.",
        remedy=remedy,
    )


def taken_meanwhile(lease: Lease, now: datetime) -> errors.LeaseHeld:
    """The failure of a break that would hit another run than the one that was seen."""
    return errors.LeaseHeld(
        f"{lease.description}, took the lease just now ({timestamps.clock(now, now)}).",
        not_done="Its lease was not broken: another run's was meant.",
        remedy="See who works on the environment (`command: status`); break the lease again if "
        "this run is dead too.",
    )


def taken_over(before: Lease) -> tuple[str, str]:
    """Title and text of the warning that another's lease was taken over."""
    if before.state == BROKEN:
        return (
            "A broken lease was taken over",
            f"{before.broken_by} had broken the lease of {before.description}: {before.reason}",
        )
    since = timestamps.for_people(before.taken_at) or "a time unknown"
    return (
        "An expired lease was taken over",
        f"{before.description}, had held the environment since {since}, and ended without "
        "releasing it.",
    )
