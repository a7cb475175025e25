"""report_pull_request.py: report, comment, registry in one process, each whatever the others do."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.context import hand_over, work_files
from standins import entry
from standins.github.github import Hub
from standins.jobs import builds

SCRIPT = entry.script("ci/report_pull_request")
REPOSITORY, NUMBER = "acme/analytics", 482


@dataclass(kw_only=True)
class Job:
    """A build that ended, its store and its GitHub."""

    hub: Hub
    work: Path
    store: Path
    token: str

    def report(self) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            SCRIPT,
            env={
                "PATH": os.defpath,
                "GITHUB_ACTIONS": "true",
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_DEPLOY_GITHUB_TOKEN": self.token,
                "GITHUB_API_URL": self.hub.url,
                "GITHUB_OUTPUT": str(self.work / "outputs"),
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
            timeout=60,
        )

    def body(self) -> str:
        (only,) = self.hub.comments(REPOSITORY, NUMBER)
        return str(only["body"])

    def is_registered(self) -> bool:
        return any(self.store.glob("pull-requests/482/*.json"))


@pytest.fixture
def job(hub: Hub, tmp_path: Path) -> Job:
    hub.create_pull_request(REPOSITORY, NUMBER)
    token = hub.create_token("github-actions[bot]", installation=True)
    work, store = builds.failed().write(tmp_path), tmp_path / "store"
    store.mkdir()
    run = hand_over.read(work, work_files.Run)
    hand_over.write(work, replace(run, policy=replace(run.policy, state=str(store))))
    return Job(hub=hub, work=work, store=store, token=token)


def test_all_three_are_done(job: Job) -> None:
    ended = job.report()
    assert ended.returncode == 0, ended.stdout
    outputs = (job.work / "outputs").read_text()
    assert "status<<" in outputs
    assert f"https://github.com/{REPOSITORY}/pull/{NUMBER}#issuecomment-" in outputs
    assert (job.work / work_files.COMMENT).read_text().strip() in job.body()
    assert job.is_registered()


def test_a_report_that_fails_leaves_the_comment_and_the_registry(job: Job) -> None:
    path = job.work / hand_over.PLAN
    path.write_text(json.dumps({**json.loads(path.read_text()), "Schemas": "broken"}))
    ended = job.report()
    assert ended.returncode == 2, ended.stdout
    assert "plan.json cannot be read" in ended.stdout
    assert "no report" in job.body().lower()
    assert job.is_registered()


def test_a_comment_that_fails_is_a_warning_and_the_registry_is_written(job: Job) -> None:
    job.token = "unknown"
    ended = job.report()
    assert ended.returncode == 0, ended.stdout
    assert "::warning title=The comment could not be written::" in ended.stdout
    assert (job.work / work_files.REPORT).is_file()
    assert job.is_registered()


def test_a_build_that_never_began_is_not_registered(job: Job) -> None:
    hand_over.remove(job.work, work_files.Plan)
    ended = job.report()
    assert ended.returncode == 0, ended.stdout
    assert job.hub.comments(REPOSITORY, NUMBER)
    assert not job.is_registered()
    assert "registry" not in ended.stdout
