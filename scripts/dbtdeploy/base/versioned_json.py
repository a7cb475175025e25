"""Small JSON records that processes share in the store, such as the lease. Pure."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from dbtdeploy.base import errors, json_codec

LAYOUT = 1
"""A record of a higher number was written by a newer dbt-deploy."""

T = TypeVar("T")


class _Head(msgspec.Struct):
    layout: int = LAYOUT


def encode(value: object) -> bytes:
    """As it is stored."""
    return msgspec.json.format(msgspec.json.encode(value), indent=2) + b"\n"


def decode(content: bytes, kind: type[T], *, source: str, remedy: str) -> T:
    """Read a record; unknown fields are passed over.

    Args:
        content: the whole object.
        kind: its type.
        source: its address, for messages.
        remedy: what to do about a damaged one.

    Raises:
        StateCorrupt: it is none.
        StoreTooNew: a newer dbt-deploy wrote it.
    """
    try:
        layout = json_codec.decode(content, _Head).layout
        if layout <= LAYOUT:
            return json_codec.decode(content, kind)
    except msgspec.DecodeError as cause:
        raise errors.StateCorrupt(
            f"{source} is damaged: {cause}.",
            not_done="It was not used, nothing was changed.",
            remedy=remedy,
        ) from None
    raise errors.StoreTooNew(
        f"{source} has layout {layout}; this dbt-deploy knows up to {LAYOUT}.",
        not_done="It was not used, nothing was changed.",
        remedy="Use the version of dbt-deploy that writes this store, or a newer one.",
    )
