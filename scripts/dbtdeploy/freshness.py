"""dbt's sources.json and the manifest's freshness -> how old each source is.

Source: https://schemas.getdbt.com/dbt/sources/v3.json, and ``SourceConfig.freshness`` from 1.10 on.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from dbtdeploy import moments
from dbtdeploy.deploy_files import SourceFreshness
from dbtdeploy.redact import Redact

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


def is_watched(manifest: Path) -> bool:
    """Whether any source says how old it may be; true where the manifest cannot tell."""
    try:
        sources = msgspec.json.decode(manifest.read_bytes(), type=_Manifest).sources
    except (FileNotFoundError, msgspec.DecodeError):
        return True
    return any(
        threshold is not None and threshold.count is not None
        for source in sources.values()
        for limits in (source.freshness, source.config.freshness)
        if limits is not None
        for threshold in (limits.warn_after, limits.error_after)
    )


def read(path: Path, *, redact: Redact) -> tuple[SourceFreshness, ...] | None:
    """What dbt found, by name; None where it left nothing that can be read.

    Args:
        path: of sources.json.
        redact: hides secrets in the warehouse's messages.
    """
    try:
        found = msgspec.json.decode(path.read_bytes(), type=_Results)
    except (FileNotFoundError, msgspec.DecodeError):
        return None
    sources = (
        SourceFreshness(
            unique_id=result.unique_id,
            name=".".join(result.unique_id.split(".")[2:]),
            status=result.status,
            max_loaded_at=result.max_loaded_at,
            age_seconds=result.max_loaded_at_time_ago_in_s,
            message=redact(result.error) if result.error else None,
        )
        for result in found.results
    )
    return tuple(sorted(sources, key=lambda source: source.name))


def line(source: SourceFreshness) -> str:
    """One source for the log: its name, how dbt judges it, and its age or what went wrong."""
    if source.age_seconds is None:
        return f"{source.name}: {source.status}. {source.message or 'No row tells its age.'}"
    return f"{source.name}: {source.status}, newest row is {moments.lasted(source.age_seconds)} old"
