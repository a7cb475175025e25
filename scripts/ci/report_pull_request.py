"""What the build left -> the report, the pull request's comment, its entry in the store.

The work of write_report.py, post_comment.py and register_pull_request.py in one process, because
each costs more to start than it works. Runs whatever happened before it, and never decides.
"""

from __future__ import annotations

from ci import post_comment, register_pull_request
from dbtdeploy.context import cli
from dbtdeploy.context.phases import Phase
from deploy import write_report

PHASE = Phase.REPORT


def main() -> int:
    """Report first, for people wait for it; what fails hinders none of the others."""
    code = cli.attempt(write_report.main, phase=PHASE)
    post_comment.post("finished")
    register_pull_request.change("register")
    return code
