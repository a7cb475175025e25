"""What the steps of a run left -> the notice of how it ended. Pure."""

from __future__ import annotations

from collections import Counter
from typing import ClassVar

from msgspec import Struct

from dbtdeploy.artifacts.node_status import GOOD
from dbtdeploy.base import errors, text
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.hand_over import Alone
from dbtdeploy.context.policies import InProduction, Release, Rollback
from dbtdeploy.context.release_files import Released, ReleasePlan, Tag
from dbtdeploy.context.rollback_files import RollbackPlan, RolledBack
from dbtdeploy.context.work_files import Build, Failure, Plan, Run
from dbtdeploy.github.release_body import GitHubRelease
from dbtdeploy.notify.notification import BAD, Fact, Link, Notice, RunOutcome, Severity, Trouble
from dbtdeploy.report.deploy_report import STATES, Tables

NAMES = 5
"""Of what failed."""

ENDED_SO: dict[str, RunOutcome] = {
    errors.Cancelled.__name__: "cancelled",
    errors.OnHold.__name__: "held",
    errors.TakenBack.__name__: "taken-back",
}

REFUSALS = frozenset(
    kind.__name__
    for kind in (
        *(errors.AdapterNotSupported, errors.GateClosed, errors.LeaseHeld, errors.ReleaseEmpty),
        *(errors.ReleaseNotClosed, errors.TagRefused, errors.WrongDriver),
    )
)
"""Failures that a check is there for: nobody has to get up for them."""

NO_END = Trouble(
    kind="",
    title="It did not come to its end",
    what="A step failed or was killed, and left no word.",
    not_done="How far it came is in the log.",
    remedy="Look at the run; the next one finds out what is live, and finishes or undoes.",
)
DBT_FAILED = Trouble(
    kind="",
    title="dbt's build failed",
    what="Models or tests failed.",
    not_done="Nothing was published.",
    remedy="The summary of the run shows what failed, and why.",
)


class Glimpse(Struct, frozen=True, kw_only=True):
    """Of a node or test in ``report.json``."""

    name: str
    outcome: str


class ProblemGlimpse(Struct, frozen=True, kw_only=True):
    """What stood in the way, in ``report.json``."""

    kind: str
    title: str
    what: str
    not_done: str
    remedy: str
    words_of_dbt: bool = False


class DeployGlimpse(Struct, frozen=True, kw_only=True):
    """How the environment stands, in ``report.json``."""

    tables: Tables


class ReportGlimpse(Alone, frozen=True, kw_only=True):
    """The part of ``report.json`` that is told."""

    FILE: ClassVar[str] = work_files.REPORT

    status: str = ""
    problem: ProblemGlimpse | None = None
    deploy: DeployGlimpse | None = None
    nodes: tuple[Glimpse, ...] = ()
    tests: tuple[Glimpse, ...] = ()


class Left(Struct, frozen=True, kw_only=True):
    """What the steps of a run left in its work folder; any of it may be missing."""

    run: Run
    now: str
    """ISO 8601, UTC."""
    job_status: str = ""
    """GitHub's, of the job until now; empty outside Actions."""
    not_due: bool = False
    failure: Failure | None = None
    build: Build | None = None
    to_build: Plan | None = None
    publication: Publication | None = None
    report: ReportGlimpse | None = None
    tag: Tag | None = None
    plan: ReleasePlan | None = None
    released: Released | None = None
    github_release: GitHubRelease | None = None
    rollback_plan: RollbackPlan | None = None
    rolled_back: RolledBack | None = None


def of(left: Left) -> Notice | None:
    """The notice; None where nobody is to be told: a dry run, or a push that waits for a tag."""
    run = left.run
    policy = run.of(InProduction)
    if left.not_due or (isinstance(policy, Release | Rollback) and policy.dry_run):
        return None
    outcome = _outcome(left)
    trouble = _trouble(left) if outcome in {*BAD, "held"} else None
    return Notice(
        command=run.command,
        outcome=outcome,
        severity=_severity(left, outcome),
        title=_title(left, outcome, policy.environment),
        environment=policy.environment,
        project=run.dbt.name,
        repository=run.event.repository,
        at=left.now,
        started_by=run.event.name,
        actor=run.event.actor,
        tag=policy.tag if isinstance(policy, Release) else None,
        version=_version(left),
        commit=left.tag.commit if left.tag else run.event.sha,
        run_url=run.event.run_url,
        trouble=trouble,
        facts=tuple(_facts(left, outcome)),
        links=tuple(_links(left, policy)),
    )


def _outcome(left: Left) -> RunOutcome:
    if left.failure is not None:
        return ENDED_SO.get(left.failure.kind, "failed")
    if left.report is not None and left.report.deploy is not None:
        # The report has judged the same results already; two judges could differ.
        if left.report.status in ("failed", "error"):
            return "failed"
        if left.report.status == "cancelled":
            return "cancelled"
    if left.job_status == "cancelled" or (left.build is not None and left.build.interrupted):
        return "cancelled"
    if left.job_status == "failure" or (left.build is not None and left.build.exit_code != 0):
        return "failed"
    return _reached(left)


def _reached(left: Left) -> RunOutcome:
    """How a run ended that tells of no failure; it must have left proof of its success."""
    if left.run.command == "rollback":
        if left.rolled_back is not None:
            return "succeeded"
        return "nothing" if left.rollback_plan and left.rollback_plan.nothing else "failed"
    if left.released is not None and left.released.resumed == "nothing":
        return "nothing"
    if _version(left) is not None:
        return "succeeded"
    nothing_to_build = left.build is None and left.to_build is not None and not left.to_build.nodes
    return "nothing" if left.run.command == "deploy" and nothing_to_build else "failed"


def _version(left: Left) -> str | None:
    if left.run.command == "rollback":
        return left.rolled_back.plan.to_version if left.rolled_back else None
    # What is built in place after a swap becomes a version of its own.
    in_place = left.publication.version if left.publication else None
    return in_place or (left.released.version if left.released else None)


def _severity(left: Left, outcome: RunOutcome) -> Severity:
    """``critical`` where production itself may not be as people think it is."""
    if outcome in ("held", "cancelled"):
        return "warning"
    if outcome not in BAD:
        return "info"
    there = left.released
    swapped = there is not None and (there.swapped_at or there.resumed == "finished")
    half = swapped and not (there and there.taken_back)
    # A rollback is wanted because production is wrong, and it still is.
    if half or left.run.command == "rollback":
        return "critical"
    refused = left.failure is not None and left.failure.kind in REFUSALS
    return "warning" if refused else "error"


def _title(left: Left, outcome: RunOutcome, environment: str) -> str:
    if left.run.command == "deploy":
        what = "The scheduled deploy" if left.run.event.name == "schedule" else "The deploy"
        what += f" of {environment}"
    elif left.run.command == "rollback":
        what = f"The rollback of {environment}"
        if left.rolled_back is not None and outcome == "succeeded":
            return f"{environment} was rolled back to {left.rolled_back.plan.to}"
    else:
        tag = left.run.of(Release).tag
        if outcome == "nothing":
            return f"{tag} was released to {environment} before"
        if outcome == "succeeded":
            return f"{tag} is live in {environment}"
        if outcome == "taken-back":
            return f"{tag} was taken back from {environment}"
        what = f"The release of {tag} to {environment}"
    return what + {
        "succeeded": " succeeded",
        "nothing": " had nothing to do",
        "held": " was refused: it is on hold",
        "cancelled": " was cancelled",
    }.get(outcome, " failed")


def _trouble(left: Left) -> Trouble:
    failure = left.failure
    problem = left.report.problem if left.report else None
    if failure is None and problem is not None:
        return Trouble(
            kind=problem.kind,
            title=problem.title,
            # The warehouse quotes rows in its errors, and these words leave the repository.
            what="" if left.run.policy.hide_row_data and problem.words_of_dbt else problem.what,
            not_done=problem.not_done,
            remedy=problem.remedy,
        )
    if failure is None:
        failed = left.build is not None and left.build.exit_code != 0
        failed = failed or (left.report is not None and left.report.status == "failed")
        return DBT_FAILED if failed else NO_END
    # The warehouse quotes rows in its errors, and these words leave the repository.
    what = "" if left.run.policy.hide_row_data else failure.what
    return Trouble(
        kind=failure.kind,
        title=failure.title,
        what=what,
        not_done=failure.not_done,
        remedy=failure.remedy,
    )


def _facts(left: Left, outcome: RunOutcome) -> list[Fact]:
    facts = [] if outcome in BAD or left.plan is None else _changes(left.plan)
    if left.released is not None and left.released.swap_seconds is not None:
        tries = text.plural(left.released.attempts, "try", "tries")
        facts.append(Fact(name="Swap", value=f"{left.released.swap_seconds:.1f} s, {tries}"))
    if outcome in BAD and left.plan is not None:
        blocked = [gate for gate in left.plan.gates if gate.outcome == "blocked"]
        facts += [Fact(name=f"Gate: {gate.name}", value=gate.figures) for gate in blocked[:NAMES]]
    if outcome in BAD and left.report is not None:
        facts += _standing(left.report) + _failed(left.report)
    if left.rolled_back is not None and left.run.command == "rollback":
        facts += _taken_back(left.rolled_back)
    return facts


def _changes(plan: ReleasePlan) -> list[Fact]:
    words = {"downstream": "downstream of them", "again": "built again"}
    counts = Counter(words.get(node.change, node.change) for node in plan.nodes)
    parts = [f"{count:,} {name}" for name, count in counts.items()]
    parts += [f"{len(plan.removed):,} removed"] if plan.removed else []
    breaking = [node.name for node in plan.nodes if node.breaking]
    facts = [Fact(name="Models", value=", ".join(parts))] if parts else []
    facts += [Fact(name="Breaking", value=text.first(breaking, NAMES))] if breaking else []
    warned = [f"{gate.name}: {gate.figures}" for gate in plan.gates if gate.outcome == "warned"]
    return facts + [Fact(name="Warning", value=one) for one in warned[:NAMES]]


def _standing(report: ReportGlimpse) -> list[Fact]:
    """Unchanged, partly new and by which nodes, or new: as the summary says it."""
    if report.deploy is None:
        return []
    new = [node.name for node in report.nodes if node.outcome in (*GOOD, "partial", "unknown")]
    named = f": {text.first(new, NAMES)}" if report.deploy.tables == "partly" and new else ""
    return [Fact(name="Tables", value=STATES[report.deploy.tables] + named)]


def _failed(report: ReportGlimpse) -> list[Fact]:
    bad = ("failed", "error", "partial", "unknown")
    found = {
        "Failed models": [node.name for node in report.nodes if node.outcome in bad],
        "Failed tests": [test.name for test in report.tests if test.outcome in bad],
    }
    return [
        Fact(name=name, value=text.first(names, NAMES)) for name, names in found.items() if names
    ]


def _taken_back(done: RolledBack) -> list[Fact]:
    plan = done.plan
    facts = [Fact(name="Taken back", value=plan.tags)]
    facts += [Fact(name="Why", value=done.reason)] if done.reason else []
    if plan.left:
        facts.append(Fact(name="Left as they are", value=text.first(plan.left, NAMES)))
    if plan.rebuild:
        facts.append(Fact(name="To be built again", value=text.first(plan.rebuild, NAMES)))
    if done.hold_reason:
        facts.append(Fact(name="On hold", value="Nothing is deployed until `command: lift-hold`."))
    return facts


def _links(left: Left, policy: InProduction) -> list[Link]:
    event = left.run.event
    release = left.github_release.url if left.github_release else ""
    docs = (left.publication.docs_url if left.publication else None) or policy.docs_url
    found = {"Run": event.run_url, "Release": release, "Documentation": docs or ""}
    return [Link(text=name, url=url) for name, url in found.items() if text.WEB.fullmatch(url)]
