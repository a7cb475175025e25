"""run.json and State -> the pull request's comment says that a build has begun.

For ``announce: true``. It never decides: whatever goes wrong is a warning, and the exit code 0.
"""

from __future__ import annotations

from dbtdeploy.ci import post_comment
from dbtdeploy.context import cli
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.run_context import RunContext

PHASE = Phase.REPORT


def main() -> None:
    """Write the comment, or say why there is none."""
    cli.attempt_or_warn(
        lambda: post_comment.started(RunContext.open(Ci)),
        title=post_comment.TITLE,
        stays="The build goes on.",
    )
