"""The store's entries of closed pull requests: removed, and compared with what was dropped."""

from __future__ import annotations

from dbtdeploy.base import actions_runner
from dbtdeploy.context import work_files
from dbtdeploy.context.policies import TeardownPolicy
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.store import pull_request_registry, store_location
from dbtdeploy.store.object_store import Store
from dbtdeploy.teardown.teardown_files import Teardown


def forget(ctx: RunContext[TeardownPolicy]) -> None:
    """Remove the entries, but not of a pull request whose schemas should be gone and are not."""
    done = ctx.read_if_there(Teardown)
    if done is None or done.dry_run or not done.closed:
        print("Nothing to forget.")
        return
    with pull_request_registry.changed(ctx.policy.state):
        opened = store_location.opened(ctx.policy.state)
        registered = set(pull_request_registry.numbers(opened, ctx.run))
        for number in sorted(registered & set(done.closed)):
            _tell_unseen(opened, ctx.run, number, done)
            if not any(one.should_go and one.pull_request == number for one in done.kept):
                pull_request_registry.forget(opened, ctx.run, number)
                actions_runner.say(f"Forgotten: pull request {number}.")


def _tell_unseen(opened: Store, run: work_files.Run, number: int, done: Teardown) -> None:
    """What the registry names and the warehouse did not show, as a notice."""
    entry = pull_request_registry.read(opened, run, number)
    if entry is None:
        actions_runner.annotate(
            "notice",
            f"The registry's entry of pull request {number} cannot be read",
            "It is not as dbt-deploy writes it. Only marks in the warehouse decide what goes.",
        )
        return
    seen = {one.schema for one in done.dropped} | {one.schema for one in done.kept}
    unseen = sorted(set(entry.schemas) - seen)
    if unseen:
        actions_runner.annotate(
            "notice",
            f"Schemas of pull request {number} were not found",
            f"{', '.join(unseen)}: a build had announced that, and no schema of that name bears "
            "the pull request's mark in this warehouse. It was dropped before, never made, or is "
            "in another database than this job's profile.",
        )
