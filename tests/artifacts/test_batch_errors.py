"""Which words belong to which microbatch model."""

from __future__ import annotations

import pytest

from dbtdeploy.artifacts import batch_errors

RAISED = "[ERROR]: Unhandled error while executing \nException on worker thread. Database Error\n  "


def batch(number: int, relation: str) -> str:
    return f"Batch {number} of 3 ERROR creating batch 2026-11-29 of {relation} ..... [ERROR in 1s]"


@pytest.mark.fault(53)
def test_each_relation_has_the_words_before_its_batches() -> None:
    said = [
        *("Something else", RAISED + "division by zero", batch(1, "made.a")),
        *(RAISED + "division by zero", batch(2, "made.a"), RAISED + "no such column"),
        *(batch(1, "made.b"), batch(2, "made.c")),
    ]
    known = batch_errors.words(said)
    assert known == {
        "made.a": "Database Error\n  division by zero",
        "made.b": "Database Error\n  no such column",
    }
    failed = {"batch_results": {"failed": [1]}, "message": "ERROR"}
    of_a = {**failed, "relation_name": '"shop"."made"."a"'}
    assert batch_errors.message(of_a, known) == "ERROR\nDatabase Error\n  division by zero"
    for other in (
        {**failed, "relation_name": '"shop"."made"."d"'},
        {**of_a, "batch_results": {"failed": []}},
        {**of_a, "batch_results": None},
        {"relation_name": None, "batch_results": {"failed": [1]}},
    ):
        assert batch_errors.message(other, known) is None
