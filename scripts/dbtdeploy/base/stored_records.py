"""Our own records without secrets: leases, pointers, indexes, releases, plans, holds. Pure.

What people wrote or a program said is replaced. What the next run finds things by stays: ids,
digests, names of relations, and the statements that make a view again.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec
from msgspec import Struct

from dbtdeploy.base import json_codec
from dbtdeploy.base.redact import Redact, in_values

KEPT = frozenset(
    {
        *("adapter", "adapter_version", "dbt_version", "built_from"),
        *("at", "broken_at", "created_at", "moved_at", "since", "started_at", "taken_at"),
        *("back_by", "change", "driver", "event", "kind", "method", "outcome", "phase", "state"),
        *("before", "before_commit", "before_tag", "from_version", "history", "previous"),
        *("columns", "database", "full_name", "identifier", "kept_in", "name", "owner", "schema"),
        *("schemas", "statements", "there", "depends_on", "materialized", "resource_type"),
        *("commit", "environment", "project", "ref", "repository", "run_url", "sha", "tag"),
        *("content_sha256", "fence", "index_sha256", "key", "nonce", "objects", "sha256"),
        *("counts", "direct", "pending", "planned", "publishing", "results", "unsettled"),
        *("production", "release_id", "staging", "target", "unique_id", "version", "what"),
    }
)
"""Fields that stay as they are; every other one is redacted, a new one too until it is listed."""

T = TypeVar("T", bound=Struct)


def redacted(content: bytes, redact: Redact) -> bytes:
    """A record as it is stored; the same bytes if there is nothing to hide.

    Raises:
        ValueError: it is not JSON.
    """
    whole = json_codec.decode(content)
    made = in_values(whole, redact, kept=KEPT)
    if made == whole:
        return content
    return msgspec.json.format(msgspec.json.encode(made), indent=2) + b"\n"


def clean(record: T, redact: Redact) -> T:
    """The same for a record whose digest is taken before it is written."""
    made = in_values(msgspec.to_builtins(record), redact, kept=KEPT)
    return json_codec.convert(made, type(record))
