"""A report without secrets. Pure.

The steps before redact what they keep; names, paths and SQL of the manifest come through here for
the first time. Strings are replaced one by one: in JSON as a whole, a secret ``1`` would take the
digits out of every number.
"""

from __future__ import annotations

from typing import Any

import msgspec

from dbtdeploy.redact import Redact
from dbtdeploy.report import Report

OURS = frozenset(
    {"status", "outcome", "kind", "in_production", "resource_type", "started_at"}
    | {"mode", "tables", "not_published", "method", "back_by"}
)
"""Fields whose values are words of ours or of dbt's, which a short secret may well equal."""


def report(whole: Report, redact: Redact) -> Report:
    """The same report with every secret replaced."""
    return msgspec.convert(_redacted(msgspec.to_builtins(whole), redact), type=Report)


def _redacted(value: Any, redact: Redact) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, (list, tuple)):
        return [_redacted(item, redact) for item in value]
    if isinstance(value, dict):
        return {
            key: item if key in OURS else _redacted(item, redact) for key, item in value.items()
        }
    return value
