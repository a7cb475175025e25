"""The tables of docs/inputs.md, made from action.yml.

``python tests/contract/readme_tables.py`` writes them between the page's markers; the contract
test compares. A reader thus never finds an input that is not there, or misses one that is.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "inputs.md"

MATTERING = ("state", "dbt", "dbt-env", "target", "aws-role", "project-dir")
"""The six inputs that the page shows first."""


def load_action() -> dict[str, Any]:
    """action.yml."""
    content: dict[str, Any] = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
    return content


def tables() -> dict[str, str]:
    """Each table by the name of its marker."""
    action = load_action()
    inputs = action["inputs"]
    return {
        "inputs that matter": _inputs({name: inputs[name] for name in MATTERING}),
        "other inputs": _inputs({n: given for n, given in inputs.items() if n not in MATTERING}),
        "outputs": _table(
            ["Output", "What it holds"],
            [[f"`{name}`", out["description"]] for name, out in action["outputs"].items()],
        ),
    }


def placed(page: str) -> str:
    """The page with every table in its place."""
    for name, table in tables().items():
        begin, end = f"<!-- table: {name} -->", "<!-- end of table -->"
        pattern = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
        if not pattern.search(page):
            raise ValueError(f"{PAGE.name} has no place for the table {name!r}")
        text = f"{begin}\n{table}\n{end}"
        page = pattern.sub(lambda _, text=text: text, page, count=1)  # type: ignore[misc]
    return page


def _inputs(inputs: dict[str, dict[str, Any]]) -> str:
    rows = []
    for name, given in inputs.items():
        default = given.get("default", "")
        shown = "required" if given.get("required") else f"`{default}`" if default else ""
        rows.append([f"`{name}`", given["description"], shown])
    return _table(["Input", "What it is", "Default"], rows)


def _table(head: list[str], rows: list[list[str]]) -> str:
    lines = [head, [":--"] * len(head), *rows]
    cells = ([cell.replace("|", "&#124;") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


if __name__ == "__main__":
    PAGE.write_text(placed(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
