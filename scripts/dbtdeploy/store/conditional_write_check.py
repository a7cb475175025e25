"""Whether a store keeps the conditions of a write, found out by writing before anyone relies on it.

Some stores that speak S3's protocol take the headers and pass them over.
"""

from __future__ import annotations

import secrets

from dbtdeploy.base import errors
from dbtdeploy.store.object_store import ABSENT, Conflict, Store

PROBE = "probe/"
WRONG_ETAG = '"00000000000000000000000000000000"'


def check_conditional_writes(store: Store) -> None:
    """Write an object of a new name, try twice to overwrite it against a condition, remove it.

    Raises:
        ConditionsIgnored: the store wrote where it must not, or not where it must.
    """
    nonce = secrets.token_hex(16)
    key = f"{PROBE}{nonce}"
    if not _written(store, key, f"{nonce} first", ABSENT):
        raise _unusable(store, "refused to write an object of a new name under If-None-Match")
    try:
        if _written(store, key, f"{nonce} second", ABSENT):
            raise _unusable(store, "wrote over an object in spite of If-None-Match")
        if _written(store, key, f"{nonce} third", WRONG_ETAG):
            raise _unusable(store, "wrote over an object in spite of another ETag in If-Match")
    finally:
        store.delete(key)


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
        "If-None-Match on.",
    )
