"""Make docs/report.schema.json from the types of the report and the words of docs/report.md.

.venv/bin/python tests/report_schema.py
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "report.md"
SCHEMA = ROOT / "docs" / "report.schema.json"

sys.path.insert(0, str(ROOT / "scripts"))

from dbtdeploy.report.report import Report  # noqa: E402  found by the line above

HEADING = re.compile(r"^## (?P<type>\w+)$", re.MULTILINE)
ROW = re.compile(r"^\| `(?P<field>\w+)` \| (?P<words>.+) \|$", re.MULTILINE)


def words() -> dict[str, dict[str, str]]:
    """The page's description of each field, by type."""
    parts = HEADING.split(PAGE.read_text(encoding="utf-8"))
    return {
        name: dict(ROW.findall(text)) for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


def schema() -> str:
    """The schema as it is committed."""
    made = msgspec.json.schema(Report)
    described = words()
    for name, definition in made["$defs"].items():
        definition.pop("description", None)
        for field, part in definition["properties"].items():
            part["description"] = described[name][field]
    head: dict[str, Any] = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "dbt-deploy report",
    }
    return json.dumps({**head, **made}, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    SCHEMA.write_text(schema(), encoding="utf-8")
