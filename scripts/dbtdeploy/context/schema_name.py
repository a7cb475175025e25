"""The pull request's schema: safe, stable, unique.

Safe: lower-case letters, digits and underscores, so that no adapter has to quote it. Stable: a
function of its arguments only, so each push of a pull request lands in the same schema. Unique: an
argument that had to be changed or cut brings eight characters of its digest along.
"""

from __future__ import annotations

import hashlib
import re

MAX_BYTES = 63
"""PostgreSQL's NAMEDATALEN - 1; the shortest limit among dbt's adapters."""

MAX_BASE = 40
"""Leaves 23 characters for the suffix that dbt's ``generate_schema_name`` adds (``_marts``)."""


def schema_name(*, prefix: str, pull_request: int | None, ref: str, project: str) -> str:
    """Name the schema of a pull request, or of a branch where there is none.

    Args:
        prefix: first part, from the input ``schema-prefix``.
        pull_request: its number, None for a merge queue, a manual run or a schedule.
        ref: the branch, used where there is no number.
        project: dbt's project name, so that two projects of a repository do not share a schema.

    Returns:
        At most ``MAX_BASE`` characters.
    """
    middle = str(pull_request) if pull_request is not None else _safe(ref, room=16)
    head = f"{_safe(prefix, room=10)}_{middle}"
    if not re.match("[a-z_]", head):
        head = f"_{head}"
    return f"{head}_{_safe(project, room=MAX_BASE - len(head) - 1)}"


def _safe(text: str, *, room: int) -> str:
    plain = re.sub("_+", "_", re.sub("[^a-z0-9]", "_", text.lower())).strip("_")
    if plain == text and len(plain) <= room and not plain.isdecimal():
        return plain
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    kept = plain[: max(room - len(digest) - 1, 0)].rstrip("_")
    return f"{kept}_{digest}" if kept else digest[: max(room, 1)]
