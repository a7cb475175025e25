"""Whether a store keeps the conditions of a write, found out by writing before anyone relies on it.

Some stores that speak S3's protocol take the headers and pass them over. Others check a condition
first and write a moment later: one writer after the other is answered rightly, and of several at
once more than one wins. So writers are made to race, too.
"""

from __future__ import annotations

import re
import secrets
import threading
from concurrent.futures import ThreadPoolExecutor

from dbtdeploy.base import errors
from dbtdeploy.store.object_store import ABSENT, Conflict, Store

PROBE = "probe/"
PROBE_KEY = re.compile(r"probe/[0-9a-f]{32}")
"""Keys of ours; an environment named ``probe`` below this one has others."""

WRONG_ETAG = '"00000000000000000000000000000000"'
RACERS = 6


def check_conditional_writes(store: Store) -> None:
    """Write objects of new names, alone and in a race, against conditions; remove them.

    Raises:
        ConditionsIgnored: the store wrote where it must not, or not where it must.
    """
    key, nonce = _new_key()
    if not _written(store, key, f"{nonce} first", ABSENT):
        raise _unusable(store, "refused to write an object of a new name under If-None-Match")
    try:
        if _written(store, key, f"{nonce} second", ABSENT):
            raise _unusable(store, "wrote over an object in spite of If-None-Match")
        if _written(store, key, f"{nonce} third", WRONG_ETAG):
            raise _unusable(store, "wrote over an object in spite of another ETag in If-Match")
    finally:
        store.delete(key)
    _race(store)


def _race(store: Store) -> None:
    """Let writers make one new object at the same moment, then change it: one wins each time."""
    key, nonce = _new_key()
    try:
        _one_winner(store, key, f"{nonce} new", ABSENT, "If-None-Match")
        made = store.get(key)
        if made is not None:
            _one_winner(store, key, f"{nonce} changed", made.etag, "If-Match")
    finally:
        store.delete(key)


def _one_winner(store: Store, key: str, body: str, only_if: str, condition: str) -> None:
    start = threading.Barrier(RACERS)

    def race(number: int) -> bool:
        start.wait()
        return _written(store, key, f"{body} {number}", only_if)

    with ThreadPoolExecutor(RACERS) as pool:
        winners = sum(pool.map(race, range(RACERS)))
    if winners != 1:
        raise _unusable(
            store, f"told {winners} of {RACERS} writers at once that their {condition} held"
        )


def _new_key() -> tuple[str, str]:
    nonce = secrets.token_hex(16)
    return f"{PROBE}{nonce}", nonce


def _written(store: Store, key: str, body: str, only_if: str) -> bool:
    try:
        store.put(key, body.encode(), only_if=only_if, content_type="text/plain")
    except Conflict:
        return False
    return True


def _unusable(store: Store, did: str) -> errors.ConditionsIgnored:
    return errors.ConditionsIgnored(
        f"The store {store.location} {did}: two runs could take the same lease.",
        not_done="The environment was not locked, and nothing else was written.",
        remedy="Use a store that keeps conditions (Amazon S3, MinIO, Cloudflare R2, Ceph, in a "
        "version that does), or a local folder. A proxy in front of it must pass If-Match and "
        "If-None-Match on. docs/store.md names versions that are known not to keep them.",
    )
