"""What the warehouse answered to a take-back, as the failure that it means. Pure."""

from __future__ import annotations

from dbtdeploy.base import errors
from dbtdeploy.context.rollback_files import RollbackPlan
from dbtdeploy.dbt import dbt_error_hints
from dbtdeploy.rollback import rollback_target
from dbtdeploy.warehouse.release_macro_types import Swapped

LISTED = 20


def refuse(plan: RollbackPlan, swapped: Swapped) -> None:
    """Stop here unless the warehouse did it, or would.

    Args:
        plan: what was to be done.
        swapped: how it ended.

    Raises:
        SwapTimeout: readers held it each time. ProductionChanged: it is not as the releases left
            it. ConsumerDoesNotFit: a view of others cannot be made on the old columns. LeaseLost:
            another run took over. SwapFailed: anything else.
    """
    if swapped.outcome == "done":
        return
    said = _said(swapped)
    failure = {
        "busy": _busy,
        "changed": _changed,
        "unfit": _unfit,
        "fenced": _fenced,
    }.get(swapped.outcome, _failed)
    raise failure(plan, swapped, said)


def _busy(plan: RollbackPlan, swapped: Swapped, said: str) -> errors.DbtDeployError:
    return errors.SwapTimeout(
        f"Readers or builds held what {plan.tags} brought, each of the {swapped.attempts} times it "
        f"was tried.{said}",
        not_done=rollback_target.UNTOUCHED,
        remedy="Wait for those queries to end, or end them, then run the rollback again.",
    )


def _changed(plan: RollbackPlan, _: Swapped, said: str) -> errors.DbtDeployError:
    return errors.ProductionChanged(
        f"Production is not as {plan.tags} left it.{said}",
        not_done=rollback_target.UNTOUCHED,
        remedy="A rollback moves only what it knows, so that nobody's work is lost. Bring these "
        "back to the columns and kind that the release made, such as by building its commit "
        "again, then roll back; or release a new tag with the change reverted.",
    )


def _unfit(plan: RollbackPlan, _: Swapped, said: str) -> errors.DbtDeployError:
    return errors.ConsumerDoesNotFit(
        f"Views outside the project were made or changed since, and do not fit the columns that "
        f"{plan.to} had.{said}",
        not_done=rollback_target.UNTOUCHED,
        remedy="Let their owners change or drop them, then run the rollback again.",
    )


def _fenced(_: RollbackPlan, __: Swapped, said: str) -> errors.DbtDeployError:
    return errors.LeaseLost(
        f"Another run took over this environment while this one worked.{said}",
        not_done=rollback_target.UNTOUCHED,
        remedy="Look who works on the environment (`command: status`), then roll back again.",
    )


def _failed(plan: RollbackPlan, swapped: Swapped, said: str) -> errors.DbtDeployError:
    return errors.SwapFailed(
        f"The warehouse did not take back {plan.tags}.{said or ' It answered ' + swapped.outcome}",
        not_done="Its transaction was undone. " + rollback_target.UNTOUCHED,
        remedy=dbt_error_hints.remedy_for("\n".join(swapped.detail)),
    )


def _said(swapped: Swapped) -> str:
    """The warehouse's lines, below the sentence."""
    lines = [f"\n- {line}" for line in swapped.detail[:LISTED]]
    more = len(swapped.detail) - LISTED
    return "".join(lines) + (f"\nand {more:,} more" if more > 0 else "")
