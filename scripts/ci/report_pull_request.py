"""What the build left -> the report, the pull request's comment, its entry in the store.

In one process, because each costs more to start than it works. Runs whatever happened before it,
and never decides.
"""

from __future__ import annotations

from dbtdeploy.ci import post_comment, register_schemas
from dbtdeploy.context import cli
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.store import pull_request_registry
from deploy import write_report

PHASE = Phase.REPORT

STAYS = "The build's result is what it was."


def main() -> int:
    """Report first, for people wait for it; what fails hinders none of the others."""
    code = cli.attempt(write_report.main, phase=PHASE)
    cli.attempt_or_warn(
        lambda: post_comment.finished(RunContext.open(Ci)), title=post_comment.TITLE, stays=STAYS
    )
    cli.attempt_or_warn(
        lambda: register_schemas.register(RunContext.open(Ci)),
        title=pull_request_registry.NOT_CHANGED,
        stays=STAYS,
    )
    return code
