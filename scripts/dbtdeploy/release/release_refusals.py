"""Why a release stops, by name: what the warehouse said -> a failure. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from dbtdeploy.base import errors, text
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.warehouse import warehouse_refusals
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Prepared, Swapped
from dbtdeploy.warehouse.warehouse_refusals import SwapWords

SUPPORTED = "postgres"
AS_BEFORE = "Production is as it was; nothing of this release is live."
NOT_STAGED = "Nothing was built, and production is as it was."
AGAIN = "run the release again"


def refuse_adapter(plan: ReleasePlan, adapter: str | None) -> None:
    """Refuse a swap where the warehouse has none, before anything is built.

    Raises:
        AdapterNotSupported: with how to release all the same.
    """
    if adapter == SUPPORTED or not plan.staged:
        return
    raise errors.AdapterNotSupported(
        f"{plan.tag} would be built beside production and swapped in one transaction. dbt-deploy "
        f"does that on PostgreSQL; this project's adapter is {adapter or 'unknown'}.",
        not_done="Nothing was built, and nothing was written to the warehouse.",
        remedy="Set the input `method` to direct: the release is then built in place, as `deploy` "
        "does, with its plan and notes, but readers may see it half done.",
    )


def refuse_in_the_way(plan: ReleasePlan, live: LiveProduction) -> None:
    """Refuse to swap what others' objects depend on: they would go on reading the old relations.

    Raises:
        DependentsInTheWay: names all of them.
    """
    if not plan.staged:
        return
    warehouse_refusals.refuse_in_the_way(
        live.look,
        [one for one in live.look.dependents if not one.ours],
        what=f"These depend on what {plan.tag} replaces, and {live.look.role} may not let them "
        "read the new relations",
        remedy="Let their owners drop them and make them again after the release, or release the "
        "models that they depend on with `method: direct`.",
    )


def together(found: Sequence[errors.DbtDeployError]) -> errors.DbtDeployError:
    """One failure of all that stops a release before its build, so that one run names it all.

    Args:
        found: at least one; a single one stays what it is.
    """
    if len(found) == 1:
        return found[0]
    return errors.NotReadyForRelease(
        f"{text.plural(len(found), 'check')} before the build would stop this release:\n"
        + "\n".join(f"{n}. {one.title}. {one.what}" for n, one in enumerate(found, 1)),
        not_done=NOT_STAGED,
        remedy="\n".join(f"{n}. {one.title}: {one.remedy}" for n, one in enumerate(found, 1)),
    )


def refuse_staging(prepared: Prepared) -> None:
    """Refuse to build where staging could not be made.

    Raises:
        LeaseLost: another run has the environment.
        SchemaNotOurs: a schema of that name is another's.
    """
    if prepared.fenced:
        raise warehouse_refusals.fenced(not_done=NOT_STAGED, again=AGAIN)
    if prepared.foreign:
        raise errors.SchemaNotOurs(
            "These schemas exist and were not made for this release:\n"
            + "\n".join(f"- {one}" for one in prepared.foreign),
            not_done=NOT_STAGED,
            remedy="Look who made them. Drop those that nobody needs:\n"
            + "\n".join(f"    DROP SCHEMA {name} CASCADE;" for name in prepared.foreign_names)
            + "\nor give the models another custom schema.",
        )


def refuse_swap(plan: ReleasePlan, swapped: Swapped) -> None:
    """Raise what a swap that did not happen means.

    Raises:
        SwapTimeout, ProductionChanged, ConsumerDoesNotFit, LeaseLost, SwapFailed.
    """
    words = SwapWords(
        relations=f"What {plan.tag} replaces",
        swap=f"the swap of {plan.tag}",
        columns=f"the new columns of {plan.tag}",
        changed=f"Production was changed since it was looked at before {plan.tag} was built",
        changed_remedy="Find out who changed it. If the change may be lost, run the release again.",
        not_done=AS_BEFORE,
        again=AGAIN,
    )
    warehouse_refusals.refuse_swap(swapped, words)
