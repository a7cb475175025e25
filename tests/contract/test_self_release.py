"""self-release.yml gives each job the least, publishes after the tests, and moves v1 last."""

from __future__ import annotations

from typing import Any

import pytest

from contract.test_workflows import workflow

RELEASE = workflow("self-release")
JOBS = RELEASE["jobs"]
WITH_STEPS = [name for name, job in JOBS.items() if "steps" in job]
TOKEN = {"DBT_DEPLOY_GITHUB_TOKEN": "${{ github.token }}"}


def steps(job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = JOBS[job]["steps"]
    return found


def place(job: str, part: str) -> int:
    """Where the only step stands that runs or uses this."""
    (found,) = [i for i, s in enumerate(steps(job)) if part in s.get("run", s.get("uses", ""))]
    return found


def test_it_starts_by_version_tags_only_one_after_the_other() -> None:
    assert RELEASE[True] == {"push": {"tags": ["v*.*.*"]}}
    assert RELEASE["concurrency"] == {"group": "self-release", "queue": "max"}


def test_each_job_has_the_least_permissions() -> None:
    assert RELEASE["permissions"] == {}
    assert {name: job["permissions"] for name, job in JOBS.items()} == {
        "check": {"contents": "read"},
        "test": {"contents": "read"},
        "assets": {"contents": "read", "id-token": "write", "attestations": "write"},
        "publish": {"contents": "write"},
    }


def test_nothing_is_made_before_the_tests_and_nothing_published_before_it_is_attested() -> None:
    assert {name: job.get("needs") for name, job in JOBS.items()} == {
        "check": None,
        "test": "check",
        "assets": "test",
        "publish": "assets",
    }
    assert not any("if" in job for job in JOBS.values()), "a failed job ends it"


def test_the_tests_are_those_of_every_pull_request() -> None:
    assert JOBS["test"]["uses"] == "./.github/workflows/self-test.yml"
    assert "workflow_call" in workflow("self-test")[True]


def test_the_assets_that_are_attested_are_those_that_are_published() -> None:
    made, handed = place("assets", "release_assets.py"), place("assets", "/upload-artifact@")
    attested = place("assets", "/attest-build-provenance@")
    # Last, so that a job that is run again does not attest a second time.
    assert made < handed < attested == len(steps("assets")) - 1
    assert steps("assets")[made]["run"].endswith(" release")
    assert steps("assets")[handed]["with"]["path"] == "release"
    assert steps("assets")[attested]["with"] == {"subject-path": "release/*"}
    fetched = place("publish", "/download-artifact@")
    assert steps("publish")[fetched]["with"] == {"name": "release", "path": "release"}
    assert steps("assets")[handed]["with"]["name"] == "release"


def test_v1_moves_last() -> None:
    fetched, published = place("publish", "/download-artifact@"), place("publish", " publish ")
    moved = place("publish", " move-tag ")
    assert fetched < published < moved == len(steps("publish")) - 1
    (checkout,) = [s for s in steps("publish") if "actions/checkout@" in s.get("uses", "")]
    assert checkout["with"]["fetch-depth"] == 0, "whether it moves forwards is seen in the history"


def test_the_job_that_signs_installs_nothing() -> None:
    assert [s["run"].split()[:2] for s in steps("assets") if "run" in s] == [
        ["python", "tools/release_assets.py"]
    ]


@pytest.mark.parametrize("job", WITH_STEPS)
def test_only_the_steps_that_ask_github_have_a_token(job: str) -> None:
    for step in steps(job):
        asks = "self_release.py" in step.get("run", "")
        assert step.get("env", {}) == (TOKEN if asks else {}), step["name"]
        if "actions/checkout@" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False


@pytest.mark.parametrize("name", ["self-release", "self-test"])
def test_no_expression_stands_in_a_shell_line(name: str) -> None:
    for job in workflow(name)["jobs"].values():
        for step in job.get("steps", []):
            assert "${{" not in step.get("run", "")
            assert len(step.get("run", "").splitlines()) <= 2, "more belongs into a script"
