"""What people decide about an environment: who drives it, and whether it is on hold.

``environment.json`` changes by compare-and-swap, so that a hold that is set while somebody changes
the driver is never lost. Without it merges drive, and there is no hold.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from msgspec import Struct

from dbtdeploy.base import errors, timestamps, versioned_json
from dbtdeploy.store.compare_and_swap import compare_and_swap
from dbtdeploy.store.object_store import Store, Stored

KEY = "environment.json"
DEPLOY, RELEASE = "deploy", "release"
DAMAGED = "Delete it, then set the driver (`command: drive`) and the hold (`command: hold`) again."


class Hold(Struct, frozen=True, kw_only=True):
    """Why nothing may be deployed, until it is lifted."""

    reason: str
    by: str
    """Login of who set it."""
    since: str
    """ISO 8601, UTC."""
    run_url: str = ""


class EnvironmentSettings(Struct, frozen=True, kw_only=True):
    """``environment.json``."""

    driver: str = DEPLOY
    """``deploy``: each merge goes live. ``release``: only version tags do."""
    hold: Hold | None = None
    layout: int = versioned_json.LAYOUT


def read(store: Store) -> EnvironmentSettings:
    """What is decided; the defaults where nothing is.

    Raises:
        StateCorrupt, StoreTooNew: see ``base/versioned_json.py``.
    """
    return _decoded(store, store.get(KEY))


def change(
    store: Store, step: Callable[[EnvironmentSettings], EnvironmentSettings]
) -> EnvironmentSettings:
    """Decide anew, on whatever others decide at the same time.

    Args:
        store: the environment's.
        step: makes the new record of the one that is there; may be called more than once.

    Returns:
        The record before.
    """

    def decide(found: Stored | None) -> tuple[bytes | None, EnvironmentSettings]:
        before = _decoded(store, found)
        after = step(before)
        return (None if after == before else versioned_json.encode(after)), before

    return compare_and_swap(store, KEY, decide)


def refuse_if_on_hold(
    environment: EnvironmentSettings,
    *,
    name: str,
    now: datetime,
    not_done: str = "Nothing was built, nothing was published.",
) -> None:
    """Stop a deploy of an environment that is on hold.

    Args:
        environment: what is decided.
        name: GitHub's name of it.
        now: the moment to count the hold's age to.
        not_done: for the message.

    Raises:
        OnHold: with the reason, who, and how to lift it.
    """
    hold = environment.hold
    if hold is None:
        return
    run = f" ({hold.run_url})" if hold.run_url else ""
    raise errors.OnHold(
        f"{name} has been on hold since {timestamps.since(hold.since, now)}, by {hold.by}{run}: "
        f"{hold.reason}",
        not_done=not_done,
        remedy="Lift the hold when its reason is gone (`command: lift-hold`), then run this again.",
    )


def _decoded(store: Store, found: Stored | None) -> EnvironmentSettings:
    if found is None:
        return EnvironmentSettings()
    source = store.address(KEY)
    return versioned_json.decode(found.body, EnvironmentSettings, source=source, remedy=DAMAGED)
