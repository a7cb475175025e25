"""What the warehouse answered -> the error that it means, in words of both commands that swap."""

from __future__ import annotations

import pytest

from dbtdeploy.base import errors
from dbtdeploy.warehouse import warehouse_refusals
from dbtdeploy.warehouse.preflight import DependentObject, Lost, Preflight
from dbtdeploy.warehouse.release_macro_types import SwapOutcome, Swapped
from dbtdeploy.warehouse.warehouse_refusals import SwapWords

WORDS = SwapWords(
    relations="What v2 brought",
    swap="to take back v2",
    columns="the columns that v1 had",
    changed="Production is not as v2 left it",
    changed_remedy="Bring it back.",
    not_done="Nothing was changed.",
    again="run it again",
)


@pytest.mark.parametrize(
    ("outcome", "kind", "what", "remedy"),
    [
        ("busy", errors.SwapTimeout, "What v2 brought was locked by", "then run it again."),
        ("changed", errors.ProductionChanged, "Production is not as v2 left it:", "Bring it back."),
        (
            "unfit",
            errors.ConsumerDoesNotFit,
            "Views outside the project do not fit the columns that v1 had:",
            "then run it again.",
        ),
        ("fenced", errors.LeaseLost, "Another run has taken over this", "then run it again."),
        (
            "failed",
            errors.SwapFailed,
            "The warehouse refused to take back v2:",
            "Then run it again.",
        ),
        ("unheard of", errors.SwapFailed, "The warehouse refused", "Then run it again."),
    ],
)
def test_a_swap_that_did_not_happen_is_an_error_with_a_name(
    outcome: SwapOutcome, kind: type[errors.DbtDeployError], what: str, remedy: str
) -> None:
    swapped = Swapped(outcome=outcome, detail=("bi.v: id is gone",) * 101, attempts=60)
    with pytest.raises(kind) as caught:
        warehouse_refusals.refuse_swap(swapped, WORDS)
    assert caught.value.what.startswith(what)
    assert caught.value.what.count("\n- bi.v: id is gone") == warehouse_refusals.LISTED
    assert caught.value.what.endswith("\n- and 1 more")
    assert caught.value.not_done.endswith("Nothing was changed.")
    assert caught.value.remedy.endswith(remedy)


def test_a_swap_that_happened_is_no_error() -> None:
    warehouse_refusals.refuse_swap(Swapped(outcome="done"), WORDS)


@pytest.mark.parametrize(
    ("said", "remedy"),
    [
        ("permission denied for schema marts", "    GRANT USAGE ON SCHEMA marts TO <role>;\n"),
        ("permission denied for schema a b", '    GRANT USAGE ON SCHEMA "a b" TO <role>;\n'),
        ('permission denied for table x"y', '    GRANT SELECT ON "x""y" TO <role>;\n'),
        ("permission denied for database shop", "    GRANT CREATE ON DATABASE shop TO <role>;\n"),
        ("out of shared memory", "Fix what the warehouse names."),
    ],
)
def test_what_the_warehouse_says_of_a_failed_swap_points_to_a_remedy(
    said: str, remedy: str
) -> None:
    with pytest.raises(errors.SwapFailed) as caught:
        warehouse_refusals.refuse_swap(Swapped(outcome="failed", detail=(said,)), WORDS)
    assert remedy in caught.value.remedy


def test_a_swap_that_failed_without_a_word_says_what_was_answered() -> None:
    with pytest.raises(errors.SwapFailed, match="it answered failed"):
        warehouse_refusals.refuse_swap(Swapped(outcome="failed"), WORDS)


@pytest.mark.fault(29)
def test_a_build_in_place_passes_by_what_only_is_altered() -> None:
    view = DependentObject(
        key="2",
        kind="view",
        schema="bi",
        name="turnover",
        full_name="bi.turnover",
        owner="analyst",
        gone=False,
        ours=False,
        there="",
        statements=(),
    )
    warehouse_refusals.refuse_drops(Preflight(role="prod", dependents=(view,)))
    lost = Lost(name="column o of table marts.typed", owner="analyst")
    with pytest.raises(errors.DependentsInTheWay) as caught:
        warehouse_refusals.refuse_drops(Preflight(role="prod", dependents=(view,), lost=(lost,)))
    assert caught.value.what.endswith("\n- column o of table marts.typed of analyst")
    assert "turnover" not in caught.value.what
