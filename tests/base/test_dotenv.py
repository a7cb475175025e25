"""The secret dbt-env."""

from __future__ import annotations

import pytest

from dbtdeploy.base import dotenv, errors


def test_lines_become_variables() -> None:
    text = "\n# comment\nA=1\nexport B = two=2 \nC=\"x\\ny\"\nD='z'\nE=\n"
    assert dotenv.parse(text) == {"A": "1", "B": "two=2", "C": "x\ny", "D": "z", "E": ""}


@pytest.mark.fault(51)
@pytest.mark.parametrize("line", ["hunter2", "not a name=hunter2", "=hunter2", "1A=hunter2"])
def test_a_bad_line_is_named_by_its_number_only(line: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        dotenv.parse(f"A=1\n{line}\n")
    assert "Line 2" in caught.value.what
    assert "hunter2" not in str(caught.value)
