"""What a macro answered -> the error that it means, for every command alike. Pure.

What only one command can say of it, that command hands in.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from dbtdeploy.base import errors, text
from dbtdeploy.dbt import dbt_error_hints
from dbtdeploy.warehouse import dependents, preflight
from dbtdeploy.warehouse.preflight import DependentObject, Preflight, names_of
from dbtdeploy.warehouse.release_macro_types import Swapped

LISTED = 100

DROPPED_BY_NAME = frozenset(
    ("view", "materialized view", "function", "procedure", "policy", "rule", "trigger")
)


class SwapWords(Struct, frozen=True, kw_only=True):
    """How a command speaks of what it lets the warehouse swap."""

    relations: str
    """What readers may hold."""
    swap: str
    """What the warehouse was asked to do."""
    columns: str
    """What views outside the project have to fit."""
    changed: str
    """That production is not as expected."""
    changed_remedy: str
    not_done: str
    again: str
    """How the command is run again."""


def refuse_swap(swapped: Swapped, words: SwapWords) -> None:
    """Raise what a swap means that did not happen.

    Args:
        swapped: how it ended.
        words: the command's own.

    Raises:
        SwapTimeout: readers held it each time. ProductionChanged: it is not as expected.
            ConsumerDoesNotFit: a view outside the project cannot be made on the columns.
            LeaseLost: another run took over. SwapFailed: anything else.
    """
    if swapped.outcome == "done":
        return
    if swapped.outcome == "busy":
        raise errors.SwapTimeout(
            _with(
                f"{words.relations} was locked by readers or builds, each of the "
                f"{swapped.attempts} times that dbt-deploy tried",
                swapped,
            ),
            not_done=words.not_done,
            remedy=f"Wait for those sessions to end, or end them, then {words.again}.",
        )
    if swapped.outcome == "changed":
        raise errors.ProductionChanged(
            _with(words.changed, swapped), not_done=words.not_done, remedy=words.changed_remedy
        )
    if swapped.outcome == "unfit":
        raise errors.ConsumerDoesNotFit(
            _with(f"Views outside the project do not fit {words.columns}", swapped),
            not_done=words.not_done,
            remedy="Let their owners change them to fit both the old and the new columns, or drop "
            f"them; then {words.again}.",
        )
    if swapped.outcome == "fenced":
        raise fenced(not_done=words.not_done, again=words.again, detail=swapped.detail)
    hint = dbt_error_hints.remedy_for("\n".join(swapped.detail))
    if hint == dbt_error_hints.FALLBACK:
        hint = "Fix what the warehouse names."
    raise errors.SwapFailed(
        _with(f"The warehouse refused {words.swap}", swapped),
        not_done=f"Its transaction was undone. {words.not_done}",
        remedy=f"{hint} Then {words.again}.",
    )


def fenced(*, not_done: str, again: str, detail: Sequence[str] = ()) -> errors.LeaseLost:
    """The failure of a run that the warehouse did not let in, because a later one was there.

    Args:
        not_done: what it was stopped before.
        again: how the command is run again.
        detail: the warehouse's words.
    """
    return errors.LeaseLost(
        _listing("Another run has taken over this environment in the warehouse", detail),
        not_done=not_done,
        remedy=f"Look who works on the environment (`command: status`), then {again}.",
    )


def refuse_in_the_way(
    look: Preflight, others: Sequence[DependentObject], *, what: str, remedy: str
) -> None:
    """Refuse to replace what objects hang on that this role could not make again.

    Args:
        look: what the warehouse answered.
        others: those of its objects that are in the way.
        what: what would become of them.
        remedy: how to go on without them.

    Raises:
        DependentsInTheWay: names all of them.
    """
    lost = [one for one in look.lost if not one.pull_request]
    if not others and not lost:
        return
    names = names_of(look)
    lines = [
        f"{one.kind} {one.full_name} of {one.owner}, on {_parents(one.parents, names)}"
        for one in others
    ]
    lines += [f"{one.name}{f' of {one.owner}' if one.owner else ''}" for one in lost]
    if others:
        drops = [f"    DROP {one.kind.upper()} {one.full_name};" for one in _droppable(others)]
        if drops:
            remedy += "\nThese statements drop them:\n" + "\n".join(drops[:LISTED])
        remedy += (
            "\nIf pull requests build as one of these roles, let an administrator run COMMENT ON "
            f"ROLE ... IS '{preflight.DECLARED}' for it: its objects then stop nothing."
        )
        remedy += (
            f"\nNever make {look.role} a member of their role: it could be made to run their code. "
            f"What {look.role} owns itself dbt-deploy makes again, with its rights: an "
            "administrator who has read what the object runs can transfer it."
        )
    raise errors.DependentsInTheWay(
        f"{what}:\n{text.bullets(lines, LISTED)}",
        not_done="Nothing was built, and nothing was dropped or changed in the warehouse.",
        remedy=remedy,
    )


def refuse_drops(look: Preflight) -> None:
    """Refuse a build in place that would drop what this role cannot make again.

    Raises:
        DependentsInTheWay: names all of it.
    """
    refuse_in_the_way(
        look,
        [one for one in look.dependents if one.gone and not one.ours and not one.pull_request],
        what=f"dbt would drop these with what it rebuilds, and {look.role} could not make them "
        "again",
        remedy="Leave the nodes that they depend on out with the input `exclude`, or let their "
        "owners drop them and make them again after the build.",
    )


def _droppable(others: Sequence[DependentObject]) -> Iterable[DependentObject]:
    """Those that a DROP by name ends, in the order in which they can go."""
    return (one for one in reversed(dependents.ordered(others)) if one.kind in DROPPED_BY_NAME)


def _with(what: str, swapped: Swapped) -> str:
    return _listing(what, swapped.detail or (f"it answered {swapped.outcome}",))


def _listing(what: str, detail: Sequence[str]) -> str:
    return f"{what}:\n{text.bullets(detail, LISTED)}" if detail else f"{what}."


def _parents(keys: Iterable[str], names: dict[str, str]) -> str:
    return ", ".join(sorted(names[key] for key in keys if key in names)) or "what is rebuilt"
