"""A report without secrets. Pure.

The steps before redact what they keep; names, paths and SQL of the manifest come through here for
the first time. Strings are replaced one by one: in JSON as a whole, a secret ``1`` would take the
digits out of every number.
"""

from __future__ import annotations

import msgspec

from dbtdeploy.base import json_codec
from dbtdeploy.base.redact import Redact, in_values
from dbtdeploy.report.report import Report

OURS = frozenset(
    {"status", "outcome", "kind", "in_production", "resource_type", "started_at"}
    | {"mode", "tables", "not_published", "method", "back_by", "row_change", "standing"}
    | {"to_production", "base_to_production"}
)
"""Fields whose values are words of ours or of dbt's, which a short secret may well equal."""


def report(whole: Report, redact: Redact) -> Report:
    """The same report with every secret replaced."""
    return json_codec.convert(in_values(msgspec.to_builtins(whole), redact, kept=OURS), Report)
