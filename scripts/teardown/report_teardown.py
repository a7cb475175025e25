"""Teardown -> the entries of closed pull requests leave the store, their comments say what went.

Runs whatever became of the schemas, and never decides.
"""

from __future__ import annotations

from dbtdeploy.context import cli
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import TeardownPolicy
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.store import pull_request_registry
from dbtdeploy.teardown import amend_comments, forget_pull_requests

PHASE = Phase.REPORT

STAYS = "What was dropped is as the step before said."


def main() -> None:
    """Do both; what fails in one does not hinder the other."""
    cli.attempt_or_warn(
        lambda: forget_pull_requests.forget(RunContext.open(TeardownPolicy)),
        title=pull_request_registry.NOT_CHANGED,
        stays=STAYS,
    )
    cli.attempt_or_warn(
        lambda: amend_comments.amend(RunContext.open(TeardownPolicy)),
        title=amend_comments.TITLE,
        stays=STAYS,
    )
