"""Pull requests' comments after a teardown: their schemas are gone, or why not."""

from __future__ import annotations

from functools import partial

from dbtdeploy.base import actions_runner, settings
from dbtdeploy.context.policies import TeardownPolicy
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.github import comment_marker, comments
from dbtdeploy.teardown import teardown_page_model
from dbtdeploy.teardown.teardown_files import Teardown

TITLE = "The comments could not be updated"


def amend(ctx: RunContext[TeardownPolicy]) -> None:
    """Put it on top of each comment that is there; none is begun."""
    done = ctx.read_if_there(Teardown)
    if done is None or done.dry_run or not ctx.policy.comment:
        print("No comment: nothing was dropped, or the input `comment` is false.")
        return
    access = settings.GitHubAccess.from_environ()
    there = comments.Comments(access, author=ctx.policy.comment_author)
    for number in teardown_page_model.pull_requests(done):
        text = teardown_page_model.words(ctx.run, done, number)
        written = there.amend_comment(
            ctx.run.event.repository,
            number,
            comment_marker.marker(ctx.run),
            partial(teardown_page_model.amend, text=text),
        )
        actions_runner.say(
            f"Pull request {number}: {written.url if written else 'has no comment of ours'}"
        )
