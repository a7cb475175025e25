"""The workflow to copy for comments on forks, as it is, executed by nektos/act.

What act lacks is listed in ``test_workflow_act.py``; a fork's run and its artifact are GitHub's
stand-in here.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from demo import jobs, processes
from demo.repository import Repository
from standins.github.github import Hub
from standins.jobs.fork_reports import (
    BRANCH,
    COMMIT,
    FORK,
    NUMBER,
    REPOSITORY,
    RUN_ID,
    skipped,
    uploaded,
)
from standins.runner import act

pytestmark = [pytest.mark.act, pytest.mark.more, pytest.mark.xdist_group("act")]

TEMPLATE = act.ROOT / "templates" / "workflows" / "fork-comment.yml"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Team:
    """A repository with a copy of the workflow."""

    hub: Hub
    command: str
    folder: Path

    def run_ended(self, **over: Any) -> act.Finished:
        """GitHub tells that a run has ended."""
        folder = self.folder / "caller"
        (folder / ".github" / "workflows").mkdir(parents=True)
        shutil.copy(TEMPLATE, folder / ".github" / "workflows")
        made = Repository(folder=folder)
        made.git("init", "--quiet", "--initial-branch", "main")
        made.git("remote", "add", "origin", f"https://github.com/{REPOSITORY}")
        made.git("add", ".")
        made.git("commit", "--quiet", "--message", "Comment on forks")
        run = {
            "id": RUN_ID,
            "run_attempt": 1,
            "event": "pull_request",
            "head_sha": COMMIT,
            "head_branch": BRANCH,
            "head_repository": {"full_name": FORK},
            "actor": {"login": "stranger"},
            "created_at": "2026-11-21T06:00:00Z",
        }
        token = self.hub.create_token("github-actions[bot]", installation=True)
        return act.run(
            "workflow_run",
            act=self.command,
            caller=folder,
            ours=act.ship(self.folder / "ours"),
            payload={
                "action": "completed",
                "workflow_run": {**run, **over},
                "repository": {"full_name": REPOSITORY, "default_branch": "main"},
            },
            home=self.folder / "home",
            actor="stranger",
            secrets={"GITHUB_TOKEN": token},
            variables={
                "DBT_DEPLOY_ENV_FOLDER": str(jobs.ENVIRONMENT),
                "GITHUB_API_URL": self.hub.url,
            },
            environment=processes.clean_environment(PATH=jobs.search_path()),
        )


@pytest.fixture
def team(hub: Hub, tmp_path: Path) -> Team:
    found = act.find()
    if found is None:
        pytest.skip("act is not installed; .ci/run installs it, or see CONTRIBUTING.md")
    jobs.set_up()
    hub.create_pull_request(REPOSITORY, NUMBER, head=FORK, branch=BRANCH, commit=COMMIT)
    hub.upload_artifact(REPOSITORY, RUN_ID, uploaded(skipped()))
    return Team(hub=hub, command=found, folder=tmp_path)


@pytest.mark.fault(40)
def test_a_forks_run_gets_its_comment(team: Team) -> None:
    finished = team.run_ended()
    assert finished.exit_code == 0, finished.log
    (comment,) = team.hub.comments(REPOSITORY, NUMBER)
    assert "### Report of a fork's run" in comment["body"]


@pytest.mark.parametrize(
    "over", [{"head_repository": {"full_name": REPOSITORY}}, {"event": "push"}]
)
def test_other_runs_start_no_job(team: Team, over: dict[str, Any]) -> None:
    finished = team.run_ended(**over)
    assert finished.exit_code == 0, finished.log
    assert "Set up dbt-deploy" not in finished.log
    assert team.hub.seen == []
