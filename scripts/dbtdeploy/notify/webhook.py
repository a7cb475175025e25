"""A notice -> JSON for anybody's webhook, signed if there is a secret. Pure.

``docs/notifications.md`` describes every field and how to check the signature.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid
from typing import Any

import msgspec
from msgspec import Struct

from dbtdeploy.notify.notification import Notice

VERSION = 1
"""Rises when a field goes or changes its meaning; new fields may come without it."""

SIGNATURE = "X-Dbt-Deploy-Signature"
EVENT = "X-Dbt-Deploy-Event"
DELIVERY = "X-Dbt-Deploy-Delivery"


class Delivery(Struct, frozen=True, kw_only=True):
    """What is posted."""

    body: bytes
    headers: dict[str, str]


def delivery(notice: Notice, secret: str, *, attempt: int = 1) -> Delivery:
    """The body and its headers.

    Args:
        notice: how the run ended.
        secret: signs the body with HMAC-SHA256; not signed if empty.
        attempt: of the run; one of its attempts always has the same delivery id, so that a
            receiver sees that it was told the same thing twice.
    """
    what = f"{notice.run_url or uuid.uuid4()} {attempt} {notice.project} {notice.event}"
    identity = str(uuid.uuid5(uuid.NAMESPACE_URL, what))
    told: dict[str, Any] = {
        "schema_version": VERSION,
        "event": notice.event,
        "delivery": identity,
        **msgspec.to_builtins(notice),
    }
    body = msgspec.json.encode(told)
    headers = {"Content-Type": "application/json", EVENT: notice.event, DELIVERY: identity}
    if secret:
        headers[SIGNATURE] = signature(body, secret)
    return Delivery(body=body, headers=headers)


def signature(body: bytes, secret: str) -> str:
    """``sha256=`` and the HMAC of the body, as GitHub writes it in X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
