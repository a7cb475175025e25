from __future__ import annotations

import fault_table
from fault_table import Ran


def test_the_table_has_every_row_once() -> None:
    titles = fault_table.rows(fault_table.CONTRIBUTING.read_text(encoding="utf-8"))
    # Some rows beyond are proven elsewhere than here.
    assert set(range(1, 52)) <= set(titles) <= set(range(1, 122))


def test_a_line_ends_with_its_word() -> None:
    ran = {1: Ran(passed={"a", "b"}), 2: Ran(passed={"a"}, failed={"c"})}
    lines = fault_table.lines({1: "one", 2: "t" * 200, 3: "three"}, ran)
    assert [line.split()[-2:] for line in lines] == [
        ["2", "passed"],
        ["2", "failed"],
        ["0", "missing"],
    ]
    assert lines[0].startswith(" 1  one")
