"""The example project and the demo's own judgement."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from demo import jobs, pull_requests, repository
from standins.runner import runner
from standins.runner.job_log import Masker

NOWHERE = {
    "PGHOST": "nowhere.invalid",
    "PGUSER": "nobody",
    "PGDATABASE": "nothing",
    "DBT_ENV_SECRET_PASSWORD": "none",
    "DBT_DEPLOY_SCHEMA": "pr_7_shop",
}


def test_the_example_parses_without_a_warning(any_dbt_command: Path, tmp_path: Path) -> None:
    project = tmp_path / "shop"
    shutil.copytree(repository.SHOP, project, ignore=repository.NOT_SOURCE)
    done = subprocess.run(
        [str(any_dbt_command), "--warn-error", "parse"],
        cwd=project,
        env={"PATH": os.defpath, "HOME": str(tmp_path), "LANG": "C.UTF-8", **NOWHERE},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "eprecat" not in done.stdout.replace("This version of dbt is deprecated", "")


def test_the_pull_requests_apply_and_are_named_alike_everywhere(tmp_path: Path) -> None:
    made = repository.create(tmp_path / "one")
    again = repository.create(tmp_path / "two")
    for patch in repository.patches():
        branch = made.branch_from_patch(patch)
        again.branch_from_patch(patch)
        assert made.sha(branch) == again.sha(branch)
    checkout = made.check_out("docs-only", tmp_path / "checkout")
    assert checkout.head_sha != checkout.merge_sha
    assert (checkout.folder / "README.md").is_file()


@pytest.mark.parametrize("pull", pull_requests.all_of_them(), ids=lambda pull: pull.branch)
@pytest.mark.parametrize("conclusion", [runner.SUCCESS, runner.FAILURE])
def test_the_demo_is_not_content_with_a_job_that_did_nothing(
    pull: pull_requests.PullRequest, conclusion: str
) -> None:
    result = runner.Result(
        steps=(),
        outputs={"status": "passed"},
        conclusion=conclusion,
        log="",
        annotations=(),
        summary="",
        masker=Masker(),
    )
    job = jobs.Job(result=result, comments=())
    assert pull.off(job)
    assert pull.off(dataclasses.replace(job, comments=("### ✅ dbt: all is well",)))
