"""FoundSchemas + GitHub + the registry -> ChosenSchemas: what a sweep drops."""

from __future__ import annotations

from datetime import datetime, timezone

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import TeardownPolicy
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.github import pull_requests_api
from dbtdeploy.store import pull_request_registry, store_location
from dbtdeploy.teardown import stale_schemas
from dbtdeploy.teardown.teardown_files import ChosenSchemas, FoundSchemas
from dbtdeploy.warehouse import schema_owner

PHASE = Phase.PLAN

MOST_REGISTERED = 200
"""Pull requests that only the registry knows and GitHub is asked about in one sweep."""


def main() -> None:
    """Ask GitHub which pull requests are closed, and choose."""
    ctx = RunContext.open(TeardownPolicy)
    run = ctx.run
    found = ctx.read(FoundSchemas)
    marked = [(one, schema_owner.read_mark(one.comment, run)) for one in found.schemas]
    marks = {mark.owner.pull_request for _, mark in marked if mark and mark.owner.pull_request}
    answers = _ask(run, [*sorted(marks), *_registered(run, marks)])
    choice = stale_schemas.choose(
        marked,
        answers,
        now=datetime.now(timezone.utc),
        older_than_days=ctx.policy.older_than_days,
    )
    chosen = ChosenSchemas(
        wanted=choice.wanted,
        kept=choice.kept,
        closed=answers.closed,
        unasked=str(answers.failure) if answers.failure else "",
    )
    ctx.write(chosen)
    actions_runner.say(f"No longer needed: {len(chosen.wanted)} of {len(found.schemas)}.")
    for one in chosen.wanted:
        actions_runner.say(f"goes: {one.schema.schema} ({one.owner}): {one.why}")
    for kept in chosen.kept:
        actions_runner.say(f"stays: {kept.schema} ({kept.owner}): {kept.reason}")


def _ask(run: work_files.Run, numbers: list[int]) -> pull_requests_api.Answers:
    access = settings.GitHubAccess.from_environ()
    try:
        answers = pull_requests_api.ask(access, run.event.repository, numbers)
    except errors.GitHubFailed as failure:
        answers = pull_requests_api.Answers(failure=failure)
    if answers.failure is not None:
        text = settings.redactor()(str(answers.failure))
        actions_runner.warning("GitHub was not asked about every pull request", text)
    return answers


def _registered(run: work_files.Run, known: set[int]) -> list[int]:
    """Pull requests that the registry knows beyond those; none where it cannot be read."""
    try:
        opened = store_location.opened(run.policy.state)
        listed = [
            number for number in pull_request_registry.numbers(opened, run) if number not in known
        ]
    except errors.DbtDeployError as failure:
        text = settings.redactor()(str(failure))
        actions_runner.warning("The registry of pull requests was not read", text)
        return []
    return listed[:MOST_REGISTERED]
