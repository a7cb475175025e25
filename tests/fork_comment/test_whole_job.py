"""Slim CI's job on a fork's pull request, and the job that follows it: the actions as they are."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path
from typing import Any

import pytest

from demo import jobs
from demo.repository import ROOT, SHOP
from standins.github.github import Hub
from standins.jobs.fork_reports import BRANCH, COMMIT, FORK, NUMBER, REPOSITORY, RUN_ID
from standins.runner import runner

BOT = "github-actions[bot]"
MERGE = "c" * 40


class Machine:
    """A runner, and a GitHub on which a stranger has opened a pull request."""

    def __init__(self, hub: Hub, folder: Path, dbt: Path) -> None:
        jobs.set_up()
        hub.create_pull_request(REPOSITORY, NUMBER, head=FORK, branch=BRANCH, commit=COMMIT)
        self.hub, self.folder, self.dbt = hub, folder, dbt

    def run(
        self,
        action: str,
        event_name: str,
        event: dict[str, Any],
        *,
        workspace: Path,
        **options: Any,
    ) -> runner.Result:
        temp = self.folder / f"temp-{event_name}"
        temp.mkdir()
        job = runner.Job(
            workspace=workspace,
            temp=temp,
            event_name=event_name,
            event={**event, "repository": {"full_name": REPOSITORY, "default_branch": "main"}},
            repository=REPOSITORY,
            api_url=self.hub.url,
            path=os.pathsep.join([str(self.dbt.parent), jobs.search_path()]),
            environment={"DBT_DEPLOY_ENV_FOLDER": str(jobs.ENVIRONMENT), "LANG": "C.UTF-8"},
            **{"token": "", **options},
        )
        inputs = {"state": str(self.folder / "state")} if action == "." else {}
        return runner.run_action(ROOT / action, inputs=inputs, job=job)

    def slim_ci(self) -> bytes:
        """The fork's own run, with a token that may only read; gives what it uploads."""
        head = {"sha": COMMIT, "ref": BRANCH, "repo": {"full_name": FORK, "fork": True}}
        result = self.run(
            ".",
            "pull_request",
            {"number": NUMBER, "pull_request": {"number": NUMBER, "head": head}},
            workspace=SHOP,
            sha=MERGE,
            ref=f"refs/pull/{NUMBER}/merge",
            token=self.hub.create_token(BOT, installation=True, write=False),
        )
        assert result.conclusion == runner.SUCCESS, result.log
        assert result.outputs["status"] == "skipped"
        folder, made = Path(result.outputs["artifact-folder"]), io.BytesIO()
        with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as opened:
            for path in sorted(folder.rglob("*")):
                opened.write(path, path.relative_to(folder))
        return made.getvalue()

    def follow(self) -> runner.Result:
        """The job that the workflow to copy starts, in a folder without a checkout."""
        empty = self.folder / "empty"
        empty.mkdir()
        run = {
            "id": RUN_ID,
            "run_attempt": 1,
            "event": "pull_request",
            "head_sha": COMMIT,
            "head_branch": BRANCH,
            "head_repository": {"full_name": FORK},
            "actor": {"login": "stranger"},
            "pull_requests": [],
            "created_at": "2026-11-21T06:00:00Z",
        }
        result = self.run(
            "fork-comment",
            "workflow_run",
            {"action": "completed", "workflow_run": run},
            workspace=empty,
            sha="d" * 40,
            token=self.hub.create_token(BOT, installation=True),
        )
        assert list(empty.iterdir()) == []
        return result


@pytest.mark.fault(40)
def test_the_report_of_a_forks_run_is_posted_by_the_job_that_follows(
    hub: Hub, tmp_path: Path, dbt_command: Path
) -> None:
    machine = Machine(hub, tmp_path, dbt_command)
    content = machine.slim_ci()
    assert hub.comments(REPOSITORY, NUMBER) == []
    hub.upload_artifact(REPOSITORY, RUN_ID, content)

    result = machine.follow()
    assert result.conclusion == runner.SUCCESS, result.log
    (comment,) = hub.comments(REPOSITORY, NUMBER)
    assert result.outputs["comment-url"] == comment["html_url"]
    assert "### Report of a fork's run" in comment["body"]
    assert "**It says:** dbt: not run for this pull request" in comment["body"]
    assert f"git fetch origin pull/{NUMBER}/head:fork-{NUMBER}" in comment["body"]
    assert result.annotations == ()
