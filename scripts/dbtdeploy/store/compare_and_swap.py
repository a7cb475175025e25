"""Changing an object that others change too: read it, decide, write it if it is unchanged."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from dbtdeploy.base import errors
from dbtdeploy.store.object_store import ABSENT, Conflict, Store, Stored

TRIES = 20
"""Against processes that write between our reading and our writing."""

T = TypeVar("T")


def compare_and_swap(
    store: Store, key: str, step: Callable[[Stored | None], tuple[bytes | None, T]]
) -> T:
    """Change an object on the condition that nobody else changed it since it was read.

    A condition that does not hold (412) means that somebody else wrote first: the object is read
    and ``step`` asked again. A store that is busy (409, 503) is tried again by ``Store.put``, which
    also recognises a write of ours whose answer was lost.

    Args:
        store: the environment's.
        key: the object's.
        step: gets the object, None where there is none; gives what to write, None to leave it as
            it is, and the result for the caller. It may be called several times, and ends the loop
            by raising where the change is no longer to be made.

    Returns:
        The result of the step whose write was made, or that wrote nothing.

    Raises:
        StateUnreachable: others wrote first each time.
    """
    for _ in range(TRIES):
        found = store.get(key)
        body, result = step(found)
        if body is None:
            return result
        try:
            store.put(key, body, only_if=found.etag if found else ABSENT)
        except Conflict:
            continue
        return result
    raise errors.StateUnreachable(
        f"{store.address(key)} was changed by others {TRIES} times while this run tried to.",
        not_done="This run did not change it.",
        remedy="Run this again.",
    )
