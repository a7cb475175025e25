"""dbt's artifacts in the smallest form that dbt itself would write."""

from __future__ import annotations

import json
from typing import Any

SCHEMAS = {
    "manifest.json": "manifest/v12",
    "run_results.json": "run-results/v6",
    "catalog.json": "catalog/v1",
    "sources.json": "sources/v3",
}


def artifact(name: str, *, version: str = "1.11.16", **metadata: Any) -> bytes:
    """One artifact; ``metadata`` is laid over what dbt would write, None takes a field out."""
    said = {
        "dbt_schema_version": f"https://schemas.getdbt.com/dbt/{SCHEMAS[name]}.json",
        "dbt_version": version,
        "generated_at": "2026-11-20T21:15:17.985293Z",
        "invocation_id": "d1b4e6ce-93af-448f-9df4-28ab98ae2976",
        "env": {},
        **({"adapter_type": "postgres"} if name == "manifest.json" else {}),
        **metadata,
    }
    content: dict[str, Any] = {"metadata": {k: v for k, v in said.items() if v is not None}}
    if name == "manifest.json":
        content |= {"nodes": {"model.shop.a": {"name": "a"}}, "sources": {}, "macros": {}}
    else:
        content |= {"results": []}
    return json.dumps(content).encode()


def all_artifacts() -> dict[str, bytes]:
    return {name: artifact(name) for name in SCHEMAS}
