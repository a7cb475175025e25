"""What may be shown where rows of data must not be."""

from __future__ import annotations

import pytest

from dbtdeploy.dbt import row_data


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        ("\x1b[0m05:04:49  1 of 5 START sql view model pr_1.a ..... [RUN]", True),
        ("05:04:49  2 of 5 FAIL 12 unique_a_id ........ [\x1b[31mFAIL 12\x1b[0m in 0.06s]", True),
        ("05:04:49  Finished running 1 view model in 0.24 seconds (0.24s).", True),
        ("05:04:49  Done. PASS=2 WARN=0 ERROR=1 SKIP=2 NO-OP=0 TOTAL=5", True),
        ("    DETAIL:  Key (email)=(ada@example.com) already exists.", False),
        ("05:04:49    Database Error in model a (models/a.sql)", False),
        ("printed by a macro: ada@example.com", False),
    ],
)
def test_only_progress_is_shown(line: str, shown: bool) -> None:
    assert row_data.is_progress(line) == shown


def test_the_warehouses_words_are_left_out_and_dbts_stay() -> None:
    said = "Database Error in operation shop\n  Key (email)=(ada@example.com) already exists."
    assert "ada" not in row_data.without_rows(said)
    assert row_data.without_rows("Parsing Error\n  line 3") == "Parsing Error\n  line 3"
