"""Why a release stops, by name: what the warehouse said -> a failure. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from dbtdeploy.base import errors
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.warehouse.preflight import names_of
from dbtdeploy.warehouse.release_macro_types import LiveProduction, Prepared, Swapped

SUPPORTED = "postgres"
AS_BEFORE = "Production is as it was; nothing of this release is live."
NOT_STAGED = "Nothing was built, and production is as it was."
LISTED = 100


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
    """Refuse to swap what others' objects hang on: they would go on reading the old relations.

    Raises:
        DependentsInTheWay: names all of them.
    """
    if not plan.staged:
        return
    look = live.look
    others = [one for one in look.hanging if not one.ours]
    if not others and not look.lost:
        return
    names = names_of(look)
    lines = [
        f"- {one.kind} {one.full_name} of {one.owner}, on {_parents(one.parents, names)}"
        for one in others
    ]
    lines += [f"- {lost.name}{f' of {lost.owner}' if lost.owner else ''}" for lost in look.lost]
    owners = sorted({one.owner for one in others})
    grants = "\n".join(f"    GRANT {owner} TO {look.role};" for owner in owners)
    raise errors.DependentsInTheWay(
        f"These hang on what {plan.tag} replaces, and {look.role} may not let them read the new "
        "relations:\n" + "\n".join(_cut(lines)),
        not_done="Nothing was built, and nothing was dropped or changed in the warehouse.",
        remedy="Let their owners drop them and make them again after the release, or release those "
        "models with `method: direct`."
        + (
            " What belongs to a role that this one is a member of, dbt-deploy makes again by "
            f"itself, just as it was:\n{grants}"
            if owners
            else ""
        ),
    )


def refuse_staging(prepared: Prepared) -> None:
    """Refuse to build where staging could not be made.

    Raises:
        LeaseLost: another run has the environment.
        SchemaNotOurs: a schema of that name is another's.
    """
    if prepared.fenced:
        raise errors.LeaseLost(
            "Another run has taken over this environment in the warehouse.",
            not_done=NOT_STAGED,
            remedy="Look who works on the environment (`command: status`), then release again.",
        )
    if prepared.foreign:
        raise errors.SchemaNotOurs(
            "These schemas exist and were not made for this release:\n"
            + "\n".join(f"- {one}" for one in prepared.foreign),
            not_done=NOT_STAGED,
            remedy="Drop them if nobody needs them, or give the models another custom schema.",
        )


def refuse_swap(plan: ReleasePlan, swapped: Swapped) -> None:
    """Raise what a swap that did not happen means.

    Raises:
        SwapTimeout, ProductionChanged, ConsumerDoesNotFit, LeaseLost, SwapFailed.
    """
    if swapped.outcome == "done":
        return
    said = "\n".join(f"- {line}" for line in _cut(list(swapped.detail))) or "- no more was said"
    raise _failure(plan.tag, swapped, said)


def _failure(tag: str, swapped: Swapped, said: str) -> errors.DbtDeployError:
    if swapped.outcome == "busy":
        return errors.SwapTimeout(
            f"What {tag} replaces was locked by readers each of the {swapped.attempts} times that "
            f"dbt-deploy tried to swap it:\n{said}",
            not_done=AS_BEFORE,
            remedy="Run the release again when they are done, or end those sessions.",
        )
    if swapped.outcome == "changed":
        return errors.ProductionChanged(
            f"Production is not what was looked at before {tag} was built:\n{said}",
            not_done=AS_BEFORE,
            remedy="Find out who changed it. If it may go, run the release again: it looks anew.",
        )
    if swapped.outcome == "unfit":
        return errors.ConsumerDoesNotFit(
            f"These cannot be made on the new columns of {tag}:\n{said}",
            not_done=AS_BEFORE,
            remedy="Change them so that they fit both the old and the new columns, or drop them; "
            "then run the release again.",
        )
    if swapped.outcome == "fenced":
        return errors.LeaseLost(
            f"Another run has taken over this environment in the warehouse.\n{said}",
            not_done=AS_BEFORE,
            remedy="Look who works on the environment (`command: status`), then release again.",
        )
    return errors.SwapFailed(
        f"The warehouse refused the swap of {tag}:\n{said}",
        not_done=AS_BEFORE,
        remedy="Mend what the warehouse names, then run the release again.",
    )


def _parents(keys: Iterable[str], names: dict[str, str]) -> str:
    return ", ".join(sorted(names[key] for key in keys if key in names)) or "what is replaced"


def _cut(lines: list[str]) -> list[str]:
    rest = len(lines) - LISTED
    return lines if rest <= 0 else [*lines[:LISTED], f"- and {rest} more"]
