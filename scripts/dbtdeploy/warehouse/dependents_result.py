"""How making dependents again after a build went -> what is said, failed and tried again. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context.deploy_files import Dependent, NotRestored, Restored
from dbtdeploy.warehouse.dependents import MADE, MISSING

STATEMENTS_SHOWN = 20_000
"""Characters of statements in the message; Restored has them all."""


def result(dependents: Iterable[Dependent], ends: Iterable[str]) -> Restored:
    """What was made again and what was not.

    Args:
        dependents: what was to be there after the build.
        ends: what the macro ``make_again`` said of each.
    """
    pairs = list(zip(dependents, ends, strict=True))
    return Restored(
        restored=tuple(_name(dependent) for dependent, end in pairs if end == MADE),
        failed=tuple(_failure(dependent, end) for dependent, end in pairs if _failed(end)),
    )


def to_try_again(dependents: Iterable[Dependent], ends: Iterable[str]) -> tuple[Dependent, ...]:
    """What the next deploy shall make if it can. A node that was removed may stay away."""
    return tuple(
        replace(dependent, failed_before=True)
        for dependent, end in zip(dependents, ends, strict=True)
        if _failed(end) and dependent.ours and end != MISSING and not dependent.removed
    )


def warned(dependents: Iterable[Dependent], ends: Iterable[str]) -> list[NotRestored]:
    """What is missing and fails no deploy: a removed node, or what an earlier one failed over."""
    pairs = zip(dependents, ends, strict=True)
    return [
        _failure(dependent, end) for dependent, end in pairs if _failed(end) and _minor(dependent)
    ]


def refuse(dependents: Iterable[Dependent], ends: Iterable[str], *, address: str) -> None:
    """Fail over what is missing now and was there before this build.

    Args:
        dependents: as above.
        ends: as above.
        address: of kept.json.

    Raises:
        DependentsNotRestored: with the warehouse's words, and the statements.
    """
    pairs = zip(dependents, ends, strict=True)
    failed = [
        _failure(dependent, end)
        for dependent, end in pairs
        if _failed(end) and not _minor(dependent)
    ]
    if not failed:
        return
    said = "\n".join(f"- {one.name}: {one.message}" for one in failed)
    script = "\n\n".join(";\n".join((*one.statements, "")) for one in failed)
    if len(script) > STATEMENTS_SHOWN:
        script = script[:STATEMENTS_SHOWN] + "\n-- and more, in Restored"
    raise errors.DependentsNotRestored(
        f"dbt dropped these with what it rebuilt, and they could not be made again:\n{said}",
        not_done="They are missing in production. What the build made is not touched by this.",
        remedy="If one no longer fits the new columns, change it and make it again. The next "
        f"deploy tries once more, until {address} is deleted. They were made by\n\n{script}",
    )


def _minor(dependent: Dependent) -> bool:
    return dependent.failed_before or dependent.removed


def _failed(end: str) -> bool:
    return end not in ("", MADE)


def _name(dependent: Dependent) -> str:
    return f"{dependent.kind} {dependent.full_name}"


def _failure(dependent: Dependent, end: str) -> NotRestored:
    return NotRestored(
        name=_name(dependent), message=_why(dependent, end), statements=dependent.statements
    )


def _why(dependent: Dependent, end: str) -> str:
    if end != MISSING:
        return end
    if not dependent.ours:
        return f"It belongs to {dependent.owner}, and this role may not make it again."
    return (
        "dbt built it, and a later node of the same build took it along: it reads that node's "
        "relation without ref()."
    )
