"""dbt's sources.json and the manifest's freshness -> how old each source is.

Source: https://schemas.getdbt.com/dbt/sources/v3.json, and ``SourceConfig.freshness`` from 1.10 on.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

import msgspec

from dbtdeploy.base import ansi, json_codec, text
from dbtdeploy.base.redact import Redact
from dbtdeploy.context.deploy_files import SourceFreshness
from dbtdeploy.context.work_files import LogError

SOURCES = "sources.json"

UNCHECKED = "runtime error"
REFUSED = frozenset({"error", UNCHECKED})
"""Older than ``error_after``, or its table could not be asked."""
STALE = REFUSED | {"warn"}


class _Threshold(msgspec.Struct, frozen=True):
    count: int | None = None


class _Limits(msgspec.Struct, frozen=True):
    warn_after: _Threshold | None = None
    error_after: _Threshold | None = None


class _Config(msgspec.Struct, frozen=True):
    enabled: bool = True
    freshness: _Limits | None = None


class _Source(msgspec.Struct):
    freshness: _Limits | None = None
    config: _Config = _Config()


class _Manifest(msgspec.Struct):
    sources: dict[str, _Source] = {}


class _Result(msgspec.Struct):
    unique_id: str
    status: str = ""
    max_loaded_at: str | None = None
    max_loaded_at_time_ago_in_s: float | None = None
    error: str | None = None


class _Results(msgspec.Struct):
    results: list[_Result] = []


def watched(manifest: Path) -> frozenset[str] | None:
    """Ids of the sources that say how old they may be; None where the manifest cannot tell."""
    try:
        sources = json_codec.decode(manifest.read_bytes(), _Manifest).sources
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    return frozenset(
        unique_id
        for unique_id, source in sources.items()
        if _is_limited(source.freshness) or _is_limited(source.config.freshness)
    )


def read(
    path: Path, *, expected: Iterable[str], said: Iterable[LogError], redact: Redact
) -> tuple[SourceFreshness, ...] | None:
    """What dbt found, by name; None where it left nothing that can be read.

    A source that could not be asked is not in the file (1.8 to 1.12), only in the log.

    Args:
        path: of sources.json.
        expected: ids of the sources that should be in it.
        said: the errors that dbt logged.
        redact: hides secrets in the warehouse's messages.
    """
    messages = [error.message for error in said]
    try:
        found = json_codec.decode(path.read_bytes(), _Results)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    sources = [
        SourceFreshness(
            unique_id=result.unique_id,
            name=_name(result.unique_id),
            status=result.status,
            max_loaded_at=result.max_loaded_at,
            age_seconds=result.max_loaded_at_time_ago_in_s,
            message=redact(ansi.plain(result.error)) if result.error else None,
        )
        for result in found.results
    ]
    missing = set(expected) - {source.unique_id for source in sources}
    sources += [_unchecked(unique_id, messages) for unique_id in missing]
    return tuple(sorted(sources, key=lambda source: source.name))


def _unchecked(unique_id: str, messages: list[str]) -> SourceFreshness:
    table = unique_id.rsplit(".", maxsplit=1)[-1]
    named = re.compile(rf"\bsource '?(?:\w+\.)*{re.escape(table)}\b")
    about = (message for message in messages if named.search(message))
    return SourceFreshness(
        unique_id=unique_id,
        name=_name(unique_id),
        status=UNCHECKED,
        message=next(about, None),
    )


def _name(unique_id: str) -> str:
    return ".".join(unique_id.split(".")[2:])


def _is_limited(limits: _Limits | None) -> bool:
    thresholds = (limits.warn_after, limits.error_after) if limits else ()
    return any(threshold and threshold.count is not None for threshold in thresholds)


JUDGED = {"pass": "fresh", "warn": "stale (warning)", "error": "stale (error)"}
"""dbt's words for the age of a source, for people."""


def line(source: SourceFreshness) -> str:
    """One source for the log: its name, how dbt judges it, and its age or what went wrong."""
    if source.age_seconds is None:
        return f"{source.name}: {source.status}. {source.message or 'No row tells its age.'}"
    judged = JUDGED.get(source.status, source.status)
    return f"{source.name}: {judged}, newest row is {text.lasted(source.age_seconds)} old"
