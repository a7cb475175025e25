"""announce_build.py: a process that says a build has begun, and never keeps it from beginning."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dbtdeploy.context import hand_over, work_files
from standins import entry
from standins.github.github import Hub
from standins.jobs import runs

REPOSITORY = "acme/shop"


def announce(work: Path, hub: Hub, token: str) -> str:
    done = subprocess.run(
        entry.script("ci/announce_build"),
        env={
            "GITHUB_ACTIONS": "true",
            "PATH": os.environ["PATH"],
            "DBT_DEPLOY_WORK": str(work),
            "DBT_DEPLOY_GITHUB_TOKEN": token,
            "GITHUB_API_URL": hub.url,
            "GITHUB_OUTPUT": str(work / "outputs"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert not hand_over.is_there(work, work_files.Failure)
    return done.stdout


@pytest.fixture
def token(hub: Hub, work: Path) -> str:
    hub.create_pull_request(REPOSITORY, 7)
    hand_over.write(work, runs.run(event=runs.event(name="pull_request", pull_request=7)))
    return hub.create_token("github-actions[bot]", installation=True)


def test_the_comment_says_that_dbt_builds(hub: Hub, work: Path, token: str) -> None:
    assert "::warning" not in announce(work, hub, token)
    (comment,) = hub.comments(REPOSITORY, 7)
    assert "### 🔄 dbt: building" in comment["body"]
    assert "#issuecomment-" in (work / "outputs").read_text()


@pytest.mark.parametrize("broken", ["token", "run"])
def test_what_goes_wrong_is_a_warning(hub: Hub, work: Path, token: str, broken: str) -> None:
    if broken == "run":
        hand_over.remove(work, work_files.Run)
    printed = announce(work, hub, "unknown" if broken == "token" else token)
    assert "::warning title=The comment could not be written::" in printed
    assert hub.comments(REPOSITORY, 7) == []
