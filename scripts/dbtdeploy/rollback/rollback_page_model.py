"""What people read of a rollback: the step summary, and the lines in the log. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from dbtdeploy.base import text, timestamps
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.context.work_files import Event, Failure
from dbtdeploy.report import render

MOST = 300
"""Names of one kind in a summary, which holds 1 MiB; the log and ``RollbackPlan`` have all.
"""


class RollbackSection(Struct, frozen=True, kw_only=True):
    """Relations or nodes with which one thing happens."""

    title: str
    says: str
    """A sentence about all of them."""
    names: tuple[str, ...]
    noun: str = "relation"


def parts(plan: RollbackPlan) -> list[RollbackSection]:
    """What happens with what, in the order in which people ask; nothing empty."""
    since = timestamps.for_people(plan.releases[-1].at) if plan.releases else ""
    every = (
        RollbackSection(
            title="Restored at once",
            says=f"The kept tables move back, with the rows of {since}.",
            names=plan.restored,
        ),
        RollbackSection(
            title="Made again",
            says="Views, from the definitions that were kept.",
            names=plan.recreated,
            noun="view",
        ),
        RollbackSection(
            title="Left as it is",
            says="Incremental tables and snapshots, which a release changes in place. "
            "`restore-incremental: true` takes out what it did to their rows, and leaves rows that "
            f"came since {since}.",
            names=plan.left,
            noun="table",
        ),
        RollbackSection(
            title="Columns dropped",
            says="The release added them to tables that stay, and the older model's build would "
            "fail on them. Rows with a value in one are kept whole in the schema `…__undone_…` "
            "until the clean-up. A column that something else uses stays.",
            names=plan.columns_dropped,
            noun="column",
        ),
        RollbackSection(
            title="Columns that stay",
            says="Something else uses them. Unless the older model has `on_schema_change: "
            "append_new_columns` or `sync_all_columns`, its next build fails until they are "
            "dropped.",
            names=plan.columns_stay,
            noun="column",
        ),
        RollbackSection(
            title="Moved away",
            says=f"Relations that are new since {plan.to}.",
            names=plan.removed,
        ),
        RollbackSection(
            title="Read the old relations again",
            says="Objects outside the project.",
            names=plan.repointed,
            noun="object",
        ),
        RollbackSection(
            title="To be built again",
            says=f"Nodes that were built in place, or stay, with another definition than "
            f"{plan.to} has. The next `deploy` with `build: modified` or `all` builds them.",
            names=plan.rebuild,
            noun="node",
        ),
    )
    return [part for part in every if part.names]


def lost(plan: RollbackPlan) -> list[str]:
    """What a rollback cannot bring back, a sentence each."""
    if not plan.releases:
        return []
    since = timestamps.for_people(plan.releases[-1].at)
    said = []
    if plan.restored:
        said.append(
            f"What was built into the restored tables since {since}: they hold what they held then "
            "until they are built again."
        )
    direct = sum(len(one.direct) for one in plan.releases)
    if direct:
        said.append(
            f"The former content of {text.plural(direct, 'node')} built in place: nothing of it "
            "was kept."
        )
    return said


def plan_summary(plan: RollbackPlan, event: Event) -> str:
    """The step summary of what a rollback would do."""
    return render.template(
        "rollback/plan.md.j2",
        plan=plan,
        parts=parts(plan),
        lost=lost(plan),
        most=MOST,
        commits=f"{event.server_url}/{event.repository}/commit/",
    )


def done_summary(done: RolledBack) -> str:
    """The step summary of a rollback that is done."""
    return render.template(
        "rollback/done.md.j2",
        done=done,
        plan=done.plan,
        when=timestamps.for_people(done.at),
        rebuild=len(done.plan.rebuild),
    )


def refused_summary(failure: Failure, environment: str) -> str:
    """The step summary of a rollback that was refused, failed or was cancelled."""
    return render.template("rollback/refused.md.j2", failure=failure, environment=environment)


def status(plan: RollbackPlan | None, done: RolledBack | None, failure: Failure | None) -> str:
    """One of the words of the output ``status``."""
    if done is not None:
        return "passed"
    if failure is not None:
        return "cancelled" if failure.kind == "Cancelled" else "error"
    return "nothing" if plan is not None else "error"


def lines(plan: RollbackPlan) -> list[str]:
    """The plan as plain text."""
    if plan.nothing:
        return [f"Nothing to roll back. {plan.nothing}"]
    took = [f"takes back: {one.tag} ({one.version})" for one in plan.releases]
    head = f"From {plan.from_tag or plan.from_version} to {_state(plan)}."
    return [
        head,
        *took,
        *_listed(parts(plan)),
        *(f"cannot be brought back: {s}" for s in lost(plan)),
    ]


def _listed(found: Sequence[RollbackSection]) -> list[str]:
    return [f"{part.title.lower()}: {name}" for part in found for name in part.names]


def _state(plan: RollbackPlan) -> str:
    return f"{plan.to_tag} ({plan.to_version})" if plan.to_tag else plan.to_version
