"""write_github_release.py as action.yml runs it: a process, files, a GitHub that remembers."""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import deploy_files, hand_over, release_files, rollback_files, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import Gate, Released, ReleasePlan
from dbtdeploy.github.release_body import GitHubRelease
from standins import entry
from standins.github.github import Hub
from standins.jobs import plans, runs
from standins.text.pages import HOSTILE, Page

SCRIPT = entry.script("release/write_github_release")
REPOSITORY = "acme/shop"
BOT = "github-actions[bot]"
SHA = "9f3c2e1d5b7a8c9e0f1a2b3c4d5e6f7a8b9c0d1e"
SECRET = "hunter2hunter2"
URL = "https://github.com/acme/shop/actions/runs/100"

RUN = runs.run(
    runs.release("v1.4.0"),
    event=runs.event(repository=REPOSITORY, sha=SHA, ref="v1.4.0", actor="", run_url=URL),
)
ORDERS = plans.release_node(reasons=("body",), rows_before=100, rows_after=101)
PLAN = plans.release(
    ORDERS,
    commit=SHA,
    gates=(Gate(name="dbt tests", outcome="passed", figures="12 of 12 tests passed."),),
    final=True,
)
LIVE = Released(version="20261125T231502Z-9f3c2e1", swapped_at="2026-11-25T23:15:02+00:00")
LEASE = deploy_files.HeldLease(nonce="n", purpose="release", taken_at="", seconds=900)
DONE = plans.rolled_back(
    plan=plans.rollback(
        from_version="20261125T231502Z-9f3c2e1",
        to_version="20261120T000000Z-aaaaaaa",
        from_tag="v1.4.0",
        releases=(
            rollback_files.TakenRelease(
                version="20261125T231502Z-9f3c2e1",
                tag="v1.4.0",
                release_id="20261125t231502",
                commit=SHA,
                at="2026-11-25T23:15:02+00:00",
            ),
        ),
    ),
    run_url=URL,
    reason=f"orders doubled {SECRET}",
)


@dataclass
class Job:
    """One job that released, its work folder, its token, its GitHub."""

    hub: Hub
    work: Path
    token: str
    run: work_files.Run = RUN
    outputs: str = field(default="", init=False)

    def leave(self, part: hand_over.HandOver) -> None:
        """What an earlier step left."""
        hand_over.write(self.work, part)

    def write(self, when: str, **environ: str) -> str:
        """Run the script; it must exit 0. Gives all it printed."""
        hand_over.write(self.work, self.run)
        output = self.work / "outputs"
        output.unlink(missing_ok=True)
        done = subprocess.run(
            [*SCRIPT, when],
            env={
                "GITHUB_ACTIONS": "true",
                "PATH": os.environ["PATH"],
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_DEPLOY_GITHUB_TOKEN": self.token,
                "DBT_DEPLOY_REDACT": SECRET,
                "GITHUB_API_URL": self.hub.url,
                "GITHUB_OUTPUT": str(output),
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
        assert not self.token or self.token not in printed
        assert SECRET not in printed
        self.outputs = output.read_text() if output.exists() else ""
        return printed

    def releases(self) -> list[dict[str, Any]]:
        return self.hub.releases(REPOSITORY)

    def only(self) -> dict[str, Any]:
        (found,) = self.releases()
        return found

    def left(self) -> GitHubRelease:
        return hand_over.read(self.work, GitHubRelease)


@pytest.fixture
def job(hub: Hub, work: Path) -> Job:
    hub.create_repository(REPOSITORY)
    made = Job(hub=hub, work=work, token=hub.create_token(BOT, installation=True))
    made.leave(PLAN)
    made.leave(LEASE)
    return made


def warned(printed: str) -> str:
    (line,) = [line for line in printed.splitlines() if line.startswith("::warning")]
    return line


# Draft, then publish ------------------------------------------------------------------------------


def test_drafted_with_the_plan_then_published_with_the_version(job: Job) -> None:
    job.write("draft")
    assert job.only()["draft"]
    assert job.left().state == "draft"
    assert "release-url" in job.outputs
    assert "https" not in job.outputs, "a draft is nothing to show to people"
    plan = job.hub.asset(REPOSITORY, "v1.4.0", "release_plan.json")
    assert plan == (job.work / ReleasePlan.FILE).read_text()
    job.leave(LIVE)
    job.write("publish")
    body = job.only()["body"]
    assert not job.only()["draft"]
    assert "orders" in body
    assert "20261125T231502Z-9f3c2e1" in body
    assert "https://github.com/acme/shop/releases/tag/v1.4.0" in job.outputs
    assert job.left().state == "published"


def test_the_manifest_only_if_it_is_asked_for(job: Job) -> None:
    (job.work / release_files.PRODUCTION_MANIFEST).write_text(f'{{"password": "{SECRET}"}}')
    job.write("draft")
    assert job.hub.asset(REPOSITORY, "v1.4.0", "manifest.json") is None
    job.run = runs.asked(RUN, runs.release("v1.4.0", attach_manifest=True))
    job.write("draft")
    attached = job.hub.asset(REPOSITORY, "v1.4.0", "manifest.json")
    assert attached is not None
    assert json.loads(attached) == {"password": "***"}


@pytest.mark.parametrize("name", [*[name for name in HOSTILE if name.strip()][:12], SECRET])
def test_hostile_names_are_inert_in_the_notes(job: Job, name: str) -> None:
    node = replace(ORDERS, name=name, breaking=(name,), exposures=(name,), outside=(name,))
    job.leave(replace(PLAN, nodes=(node,)))
    job.leave(LIVE)
    job.write("publish")
    body = job.only()["body"]
    assert SECRET not in body
    page = Page(body)
    assert {comment.split()[1] for comment in page.comments} == {"release"}
    assert "img" not in page.tags
    assert "@acme" not in page.prose
    assert body.count("dbt-deploy release environment") == 2


@pytest.mark.fault(47)
def test_a_release_that_is_there_already_is_resumed(job: Job) -> None:
    job.write("draft")
    job.leave(LIVE)
    job.hub.add_fault(method="PATCH", status=403, message="Resource not accessible by integration")
    assert "contents: write" in warned(job.write("publish"))
    assert job.only()["draft"]
    # The next run of the tag finds it live, and makes no plan.
    hand_over.remove(job.work, ReleasePlan)
    job.leave(Released(version=LIVE.version, resumed="nothing"))
    job.write("publish")
    assert not job.only()["draft"]
    assert "orders" in job.only()["body"]
    seen = len([s for s in job.hub.seen if s.method != "GET"])
    job.write("publish")
    assert len([s for s in job.hub.seen if s.method != "GET"]) == seen


@pytest.mark.fault(47)
def test_somebody_elses_release_of_the_tag_keeps_its_text(job: Job) -> None:
    job.hub.create_release(REPOSITORY, "v1.4.0", "By hand.")
    job.write("draft")
    assert job.only()["body"] == "By hand."
    job.leave(LIVE)
    job.write("publish")
    assert job.only()["body"].startswith("By hand.\n\n<!-- dbt-deploy release ")
    assert job.left().state == "appended"


def test_built_in_place(job: Job) -> None:
    direct = replace(ORDERS, method="direct")
    job.leave(replace(PLAN, nodes=(direct,)))
    published = deploy_files.Publication(location="s3://b/p", version="v")
    job.leave(published)
    job.write("publish")
    assert not job.only()["draft"]


# Not live -----------------------------------------------------------------------------------------

GATE = work_files.Failure.of(errors.GateClosed("no", not_done="", remedy=""), phase=Phase.GATES)
LOST = work_files.Failure.of(errors.LeaseLost("no", not_done="", remedy=""), phase=Phase.SWAP)


def test_a_failed_releases_draft_is_removed(job: Job) -> None:
    job.write("draft")
    job.leave(GATE)
    assert "nothing of it is live" in job.write("publish")
    assert job.releases() == []
    assert job.left().state == "removed"
    job.write("publish")


@pytest.mark.parametrize("what", ["lost", "swapped"])
def test_the_draft_stays_where_the_next_run_decides(job: Job, what: str) -> None:
    job.write("draft")
    if what == "lost":
        job.leave(LOST)
    else:
        job.leave(replace(LIVE, version=None))
    assert "The draft stays" in job.write("publish")
    assert job.only()["draft"]


def test_a_run_without_the_lease_touches_no_draft(job: Job) -> None:
    """Another run of the same tag may be at it."""
    job.write("draft")
    hand_over.remove(job.work, deploy_files.HeldLease)
    job.write("publish")
    assert job.only()["draft"]


def test_a_dry_run_writes_nothing(job: Job) -> None:
    job.run = runs.asked(RUN, runs.release("v1.4.0", dry_run=True))
    for when in ("draft", "publish", "rolled-back"):
        job.write(when)
    assert job.hub.seen == []


def test_without_a_github_it_says_so(job: Job) -> None:
    job.run = replace(RUN, event=replace(RUN.event, repository=""))
    for when in ("draft", "publish", "rolled-back"):
        assert "There is no GitHub" in job.write(when, GITHUB_ACTIONS="")


# Taken back ---------------------------------------------------------------------------------------


def released(job: Job) -> int:
    """v1.3.0, then v1.4.0; gives the deployment of the second."""
    job.hub.create_release(REPOSITORY, "v1.3.0")
    job.leave(LIVE)
    job.write("publish")
    job.leave(DONE)
    job.run = runs.asked(RUN, runs.rollback())
    return job.hub.create_deployment(REPOSITORY, SHA, "production")


def test_a_release_that_was_taken_back_is_marked(job: Job) -> None:
    deployment = released(job)
    job.write("rolled-back")
    body = job.releases()[1]["body"]
    assert body.index("**Rolled back** on 2026-11-25 23:40 UTC by `ann`") < body.index("orders")
    assert "runs `v1.3.0` again" in body
    assert "orders doubled" in body
    assert SECRET not in body
    assert job.hub.latest_release(REPOSITORY) == "v1.3.0"
    assert job.hub.deployment_states(deployment) == ["inactive", "success"]
    job.write("rolled-back")
    assert job.releases()[1]["body"] == body
    assert job.hub.deployment_states(deployment) == ["inactive", "success"]


def test_without_the_permission_for_deployments_it_is_a_notice(job: Job) -> None:
    deployment = released(job)
    job.token = job.hub.create_token(BOT, installation=True, refused=["/deployments"])
    printed = job.write("rolled-back")
    assert "::notice title=Deployments stay as they are" in printed
    assert "deployments: write" in printed
    assert "**Rolled back**" in job.releases()[1]["body"]
    assert job.hub.deployment_states(deployment) == ["success"]


def test_nothing_was_taken_back(job: Job) -> None:
    released(job)
    hand_over.remove(job.work, rollback_files.RolledBack)
    assert "nothing was taken back" in job.write("rolled-back")
    assert "Rolled back" not in job.releases()[1]["body"]


# A failure changes nothing ------------------------------------------------------------------------


@pytest.mark.fault(49)
@pytest.mark.parametrize("when", ["draft", "publish", "rolled-back"])
def test_githubs_refusal_is_a_warning(job: Job, when: str) -> None:
    job.leave(LIVE)
    job.leave(DONE)
    job.token = job.hub.create_token(BOT, installation=True)
    job.hub.add_fault(status=403, message="Resource not accessible by integration", times=9)
    line = warned(job.write(when))
    assert line.startswith(f"::warning title={errors.ReleaseNotWritten.title}::")
    assert "what is live stays as it is" in line
    assert not hand_over.is_there(job.work, work_files.Failure)


@pytest.mark.fault(49)
def test_a_fault_of_ours_is_a_warning_too(job: Job) -> None:
    (job.work / ReleasePlan.FILE).write_text("[]")
    assert "::warning" in job.write("draft")
    hand_over.remove(job.work, work_files.Run)
    assert not hand_over.is_there(job.work, work_files.Failure)
