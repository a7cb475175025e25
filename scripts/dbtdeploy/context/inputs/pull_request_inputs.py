"""Inputs of ``ci`` and ``teardown`` -> what they mean."""

from __future__ import annotations

import re
from pathlib import Path

from msgspec.structs import asdict

from dbtdeploy.base.settings import Inputs
from dbtdeploy.context.inputs import shared_inputs
from dbtdeploy.context.inputs.input_values import MOST_DIGITS, flag, invalid, number, one_of
from dbtdeploy.context.policies import Ci, TeardownPolicy
from dbtdeploy.context.work_files import Event

WITHOUT_STATE = ("build-all", "fail", "skip")

ORDER_COLUMN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def ci(inputs: Inputs, workspace: Path) -> Ci:
    """How a pull request is built.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    rows, order_by = inputs.baseline_rows or "all", inputs.baseline_order_by or None
    if rows not in ("all", "none"):
        if not rows.isdecimal() or len(rows) > MOST_DIGITS or int(rows) == 0:
            raise invalid("baseline-rows", f"is {rows!r}", "Use all, none or a number of rows.")
        if order_by is None:
            raise invalid(
                "baseline-rows",
                "is a number, and no column says which rows are the newest",
                "Set `baseline-order-by` to a column such as updated_at.",
            )
    if order_by is not None and not ORDER_COLUMN.fullmatch(order_by):
        raise invalid("baseline-order-by", f"is {order_by!r}", "Use the name of one column.")
    return Ci(
        **asdict(shared_inputs.of_pull_requests(inputs, workspace)),
        on_missing_state=one_of(
            "on-missing-state", inputs.on_missing_state or "build-all", WITHOUT_STATE
        ),
        announce=flag("announce", inputs.announce, default=False),
        baseline_rows=rows,
        baseline_order_by=order_by,
        docs=flag("docs", inputs.docs, default=False),
    )


def teardown(inputs: Inputs, event: Event, workspace: Path) -> TeardownPolicy:
    """Whose schemas go: one pull request's, or, by ``sweep``, all that are no longer needed.

    Raises:
        InvalidInput: neither is named.
    """
    sweep = flag("sweep", inputs.sweep, default=False)
    pull_request = number("pull-request", inputs.pull_request, most=10**9) or event.pull_request
    if not sweep and pull_request is None:
        raise invalid(
            "pull-request",
            "is empty, and no pull request started this run",
            "Set it to the pull request's number, or set `sweep` to true.",
        )
    return TeardownPolicy(
        **asdict(shared_inputs.of_pull_requests(inputs, workspace)),
        pull_request=None if sweep else pull_request,
        sweep=sweep,
        older_than_days=number("older-than-days", inputs.older_than_days, default=14),
        dry_run=flag("dry-run", inputs.dry_run, default=False),
    )
