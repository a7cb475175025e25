"""Schemas of a release: what they are called, and the comment that marks them as ours. Pure.

A release builds in staging schemas; the swap moves what was live into keeping schemas, and a
rollback moves what it takes back into others. As in ``schema_owner.py`` the first line says whose a
schema is, and the second since when; a line that is not exactly as we write it is no mark.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from datetime import datetime
from typing import Literal
from urllib.parse import quote, unquote

from msgspec import Struct

from dbtdeploy.base import timestamps
from dbtdeploy.context.schema_name import MAX_BASE, MAX_BYTES
from dbtdeploy.warehouse.release_macro_types import ReleaseScope

Role = Literal["staging", "kept", "undone"]

SCHEMA = "dbt_deploy"
"""Ours in the warehouse: who released what, and the fence."""

LINE = re.compile(
    r"dbt-deploy environment=(\S*) project=(\S*) release=(\S+) role=(staging|kept|undone)"
)

DIGEST = 8
SHORT = 12


class ReleaseSchemaMark(Struct, frozen=True, kw_only=True):
    """A mark as read back."""

    place: ReleaseScope
    release_id: str
    role: Role
    since: datetime | None


def staging_schema(release_id: str, project: str, *, longest: int = 0) -> str:
    """The schema that dbt is given; its custom schemas append to it.

    Args:
        release_id: the release's.
        project: its project's name.
        longest: bytes that the longest custom schema appends; for one that does not fit behind the
            release and the project, their digest stands in their place.

    Returns:
        At most ``MAX_BASE`` bytes, lower-case letters, digits and underscores.
    """
    head = f"dbt_green_{release_id}"
    plain = re.sub("_+", "_", re.sub("[^a-z0-9]", "_", project.lower())).strip("_")
    whole = _cut(head, "_" + plain, room=MAX_BASE, whole=plain == project, of=project)
    if len(whole) + longest <= MAX_BYTES:
        return whole
    return "dbt_green_" + hashlib.sha256(f"{release_id}/{project}".encode()).hexdigest()[:SHORT]


def log_schema(release_id: str, project: str) -> str:
    """Beside the staging schema: there is logged what dbt writes into copies of production."""
    return staging_schema(release_id, project).replace("dbt_green_", "dbt_log_", 1)


def token(digits: int = 8) -> str:
    """The end of a name that nobody who may make schemas can have guessed and taken before."""
    return secrets.token_hex(digits // 2)


def kept_schema(schema: str, release_id: str, token: str) -> str:
    """Where the swap moves what was live in ``schema``."""
    return _beside(schema, f"__kept_{release_id}_{token}")


def undone_schema(schema: str, release_id: str, token: str) -> str:
    """Where a rollback moves what it takes back out of ``schema``."""
    return _beside(schema, f"__undone_{release_id}_{token}")


def first_line(place: ReleaseScope, release_id: str, role: Role) -> str:
    """The line of a mark that never changes."""
    return f"{prefix(place)}release={quote(release_id, safe='')} role={role}"


def prefix(place: ReleaseScope) -> str:
    """What the marks of all releases of this place begin with."""
    return (
        f"dbt-deploy environment={quote(place.environment, safe='')} "
        f"project={quote(place.project, safe='')} "
    )


def mark(place: ReleaseScope, release_id: str, role: Role, *, since: str) -> str:
    """The comment of a schema; ``since`` is ISO 8601."""
    return f"{first_line(place, release_id, role)}\n{role} since {since}"


def read_mark(comment: str) -> ReleaseSchemaMark | None:
    """The mark that a schema's comment is; None if it is none."""
    first, _, second = comment.partition("\n")
    found = LINE.fullmatch(first)
    if found is None:
        return None
    environment, project, release_id, role = found.groups()
    place = ReleaseScope(environment=unquote(environment), project=unquote(project))
    known: Role = "staging" if role == "staging" else "kept" if role == "kept" else "undone"
    if first != first_line(place, unquote(release_id), known):
        return None
    start = f"{known} since "
    since = second.removeprefix(start) if second.startswith(start) else None
    return ReleaseSchemaMark(
        place=place, release_id=unquote(release_id), role=known, since=timestamps.parse(since)
    )


def _beside(schema: str, suffix: str) -> str:
    """The schema's name and the suffix, the name cut by its bytes, as PostgreSQL counts."""
    room = MAX_BYTES - len(suffix)
    if len(schema.encode()) <= room:
        return schema + suffix
    digest = hashlib.sha256(schema.encode()).hexdigest()[:DIGEST]
    kept = schema.encode()[: room - DIGEST - 1].decode(errors="ignore")
    return f"{kept}_{digest}{suffix}"


def _cut(head: str, tail: str, *, room: int, whole: bool, of: str) -> str:
    if whole and len(head + tail) <= room:
        return head + tail
    digest = "_" + hashlib.sha256(of.encode()).hexdigest()[:DIGEST]
    return head + tail[: max(room - len(head) - len(digest), 0)].rstrip("_") + digest
