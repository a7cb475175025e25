"""A pytest plugin: with ``--fault-table``, a closing line for each row of the fault table.

The rows stand in CONTRIBUTING.md; a test says by ``@pytest.mark.fault(N, ...)`` which it proves.
The last word of a line is ``passed``, ``failed`` or ``missing``: no test ran.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

CONTRIBUTING = Path(__file__).resolve().parent.parent / "CONTRIBUTING.md"
ROW = re.compile(r"^\|\s*(\d+)\s*\|\s*(.+?)\s*\|$", re.MULTILINE)
PROPERTY = "fault"
TITLE_WIDTH = 72


@dataclass(kw_only=True)
class Ran:
    """The tests of one row that ran, by name."""

    passed: set[str] = field(default_factory=set)
    failed: set[str] = field(default_factory=set)

    def word(self) -> str:
        """How the row did."""
        if self.failed:
            return "failed"
        return "passed" if self.passed else "missing"


def rows(text: str) -> dict[int, str]:
    """Read number and title of each row from a Markdown table of two columns."""
    return {int(number): title for number, title in ROW.findall(text)}


def lines(titles: Mapping[int, str], ran: Mapping[int, Ran]) -> list[str]:
    """One line a row: number, title, number of tests, and how they did."""
    written = []
    for number, title in sorted(titles.items()):
        row = ran.get(number, Ran())
        short = title if len(title) <= TITLE_WIDTH else title[: TITLE_WIDTH - 3] + "..."
        tests = len(row.passed | row.failed)
        written.append(f"{number:2d}  {short:{TITLE_WIDTH}}  {tests:3d}  {row.word()}")
    return written


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--fault-table", action="store_true", help="print a line per fault")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Carry the marks on the reports: with xdist they are all that reaches the controller."""
    titles = rows(CONTRIBUTING.read_text(encoding="utf-8"))
    for item in items:
        for number in {n for mark in item.iter_markers(PROPERTY) for n in mark.args}:
            if number not in titles:
                raise pytest.UsageError(f"{item.nodeid} names fault {number}, which is no row")
            item.user_properties.append((PROPERTY, number))


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not terminalreporter.config.getoption("--fault-table"):
        return
    ran: dict[int, Ran] = {}
    for outcome in ("passed", "failed", "error"):
        for report in terminalreporter.getreports(outcome):
            for name, number in getattr(report, "user_properties", ()):
                if name == PROPERTY:
                    row = ran.setdefault(number, Ran())
                    (row.passed if outcome == "passed" else row.failed).add(report.nodeid)
    terminalreporter.section("faults")
    for line in lines(rows(CONTRIBUTING.read_text(encoding="utf-8")), ran):
        terminalreporter.write_line(line)
