"""The entry of a pull request in the store: which schemas its build uses, a hint for teardown."""

from __future__ import annotations

from dbtdeploy.base import actions_runner
from dbtdeploy.base.text import plural
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.store import pull_request_registry, store_location
from dbtdeploy.warehouse import guard


def register(ctx: RunContext[Ci]) -> None:
    """Write it, whatever became of the build; a build that never began has none."""
    number = ctx.run.event.pull_request
    if number is None:
        name = ctx.run.event.name
        actions_runner.say(f"Nothing to register: this run ({name}) belongs to no pull request.")
        return
    plan = ctx.read_if_there(work_files.Plan)
    schemas = sorted({node.schema or "" for node in guard.written(plan.nodes)}) if plan else []
    if not schemas:
        return
    with pull_request_registry.changed(ctx.policy.state):
        opened = store_location.opened(ctx.policy.state)
        pull_request_registry.write(opened, ctx.run, number, schemas)
    actions_runner.say(f"Registered for pull request {number}: {plural(len(schemas), 'schema')}.")
