"""What the warehouse answered about each schema -> what is gone, what stays, what to do. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from dbtdeploy.base import errors, text
from dbtdeploy.dbt import dbt_error_hints
from dbtdeploy.teardown.teardown_files import DroppedSchema, KeptSchema, Teardown, WantedSchema
from dbtdeploy.warehouse.schema_owner import Owner

LISTED = 10
"""Objects of others that a reason names."""


class SchemaResult(msgspec.Struct):
    """One schema, as ``templates/dbt_package/macros/teardown.sql`` tells of it."""

    schema: str
    outcome: str
    detail: list[str] = []


class NamedSchema(msgspec.Struct):
    """A schema by name, with what its comment is."""

    schema: str
    comment: str = ""


def sort(
    outcomes: Iterable[SchemaResult], wanted: Mapping[str, WantedSchema]
) -> tuple[list[DroppedSchema], list[KeptSchema]]:
    """Tell apart what is gone and what stays.

    Args:
        outcomes: the warehouse's answers. What was gone already is left out.
        wanted: what was to go, by name.
    """
    dropped: list[DroppedSchema] = []
    kept: list[KeptSchema] = []
    for outcome in outcomes:
        owner = wanted[outcome.schema].owner
        if outcome.outcome == "dropped":
            dropped.append(
                DroppedSchema(
                    schema=outcome.schema,
                    owner=str(owner),
                    pull_request=owner.pull_request,
                    why=wanted[outcome.schema].why,
                )
            )
        elif outcome.outcome != "gone":
            kept.append(_kept(outcome, owner))
    return dropped, kept


def unmarked(found: Iterable[NamedSchema], owner: Owner) -> list[KeptSchema]:
    """Schemas that go by the owner's name and are not marked as its own."""
    return [
        KeptSchema(
            schema=one.schema,
            reason="it bears no mark of dbt-deploy's"
            + (f"; its comment is {_quoted(one.comment)}" if one.comment.strip() else ""),
            remedy="Somebody else made it, or dbt did after its marked schema was dropped. Drop it "
            f'by hand if nobody needs it: drop schema "{one.schema}" cascade',
            pull_request=owner.pull_request,
            should_go=True,
        )
        for one in found
    ]


def refuse_leftovers(teardown: Teardown) -> None:
    """Refuse to end well while a schema is or may be there that should be gone.

    Raises:
        TeardownIncomplete: names them and what to do.
    """
    left = [schema for schema in teardown.kept if schema.should_go]
    if teardown.dry_run:
        return
    if not left and teardown.unasked:
        raise errors.TeardownIncomplete(
            teardown.unasked.partition("\n")[0],
            not_done="Schemas whose pull requests GitHub was not asked about are left as they are.",
            remedy=teardown.unasked.rpartition("\n")[2],
        )
    if left:
        raise errors.TeardownIncomplete(
            "These schemas are still there:\n"
            + "\n".join(f"- {one.schema}: {one.reason}" for one in left),
            not_done="They were left as they are; all others that were to go are dropped.",
            remedy="\n".join(dict.fromkeys(one.remedy for one in left)),
        )


def _kept(outcome: SchemaResult, owner: Owner) -> KeptSchema:
    reason, remedy, should_go = _why(outcome)
    return KeptSchema(
        schema=outcome.schema,
        reason=reason,
        remedy=remedy,
        owner=str(owner),
        pull_request=owner.pull_request,
        should_go=should_go,
        foreign=outcome.outcome == "foreign",
    )


def _why(outcome: SchemaResult) -> tuple[str, str, bool]:
    """Reason, remedy, and whether it should have gone."""
    said = "\n".join(outcome.detail)
    shown = _quoted(said)
    if outcome.outcome == "changed":
        return "it was used again, or marked anew, since it was looked at", "", False
    if outcome.outcome == "foreign":
        theirs, ours = outcome.detail
        return (
            f"it belongs to the role {theirs}, and this job's role is {ours}",
            f'As {theirs}, run: drop schema "{outcome.schema}" cascade. If {theirs} builds pull '
            "requests, let this job connect as it.",
            True,
        )
    if outcome.outcome == "depended":
        listed = text.first([_quoted(one) for one in outcome.detail], LISTED)
        return (
            f"objects outside of it hang on it and would be dropped too: {listed}",
            "Drop those objects, or let them read production's, and run this job again. A "
            "partition is detached by: alter table ... detach partition ...",
            True,
        )
    if outcome.outcome == "busy":
        return (
            f"somebody works in it ({shown})",
            "Run this job again when that has ended; a sweep drops it too.",
            True,
        )
    return (
        f"the warehouse says {shown}" if said else f"the warehouse answered {outcome.outcome}",
        dbt_error_hints.remedy_for(said),
        True,
    )


def _quoted(text: str) -> str:
    """Words of others inside a sentence of ours, as code."""
    lines = text.strip().splitlines() or [""]
    return "`" + lines[0].replace("`", "'") + "`"
