"""Results of a build in staging, as if production had been built. Pure.

Their nodes went live just as they were built, so the timings are production's; only the names and
the compiled SQL are staging's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from dbtdeploy.artifacts.artifacts import Manifest
from dbtdeploy.base import json_codec

ROWS = "rows"
"""In ``adapter_response``: how many the relation holds, beside dbt's own ``rows_affected``."""


def in_production(results: bytes, manifest: Manifest, rows: Mapping[str, int | None]) -> bytes:
    """Give each result production's relation name, and how many rows it has.

    Args:
        results: run_results.json.
        manifest: of the tagged commit, parsed with production's target.
        rows: by unique id.
    """
    document = json_codec.decode(results, dict[str, Any])
    for result in document.get("results", ()):
        unique_id = result.get("unique_id", "")
        node = manifest.find(unique_id)
        if result.get("relation_name"):
            result["relation_name"] = node.relation_name if node else None
        result["compiled_code"] = None
        if rows.get(unique_id) is not None:
            response = result.get("adapter_response") or {}
            result["adapter_response"] = {**response, ROWS: rows[unique_id]}
    return msgspec.json.encode(document)
