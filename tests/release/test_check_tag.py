"""check_tag.py as action.yml runs it: a process, a checkout, and a GitHub that remembers."""

from __future__ import annotations

import os
import secrets
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import Tag
from standins import entry
from standins.github.github import Hub
from standins.jobs import plans, runs

SCRIPT = entry.script("release/check_tag")
REPOSITORY = "acme/shop"
BOT = "github-actions[bot]"


@dataclass
class Job:
    """A checkout of which GitHub has the same commits, and the job that releases v1 of it."""

    hub: Hub | None
    work: Path
    checkout: Path
    token: str = ""
    policy: Release = runs.release("v1")  # noqa: RUF009  frozen
    sha: str = ""

    def git(self, *arguments: str) -> str:
        named = ["-c", "user.name=o", "-c", "user.email=o@example.com"]
        done = subprocess.run(
            ["git", *named, "-C", str(self.checkout), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.strip()

    def commit(self, *, branch: str | None = "main") -> str:
        # Two of the same parent, words and second would be one commit.
        self.git("commit", "-q", "--allow-empty", "-m", f"words {secrets.token_hex(4)}")
        made = self.git("rev-parse", "HEAD")
        if self.hub:
            parents: list[str] | None = None if branch else []
            self.hub.create_commit(REPOSITORY, sha=made, branch=branch, parents=parents)
        return made

    def tag(self, commit: str, name: str = "v1") -> None:
        self.git("tag", "-f", name, commit)
        if self.hub:
            self.hub.set_tag(REPOSITORY, name, commit)

    def check(self, what: str = "tag", **environ: str) -> tuple[int, str]:
        """Run the script; its exit code and all it printed."""
        event = work_files.Event(
            name="push",
            repository=REPOSITORY if self.hub else "",
            sha=self.sha,
            ref=self.policy.tag,
        )
        hand_over.write(self.work, run_of(event, self.checkout, self.policy))
        done = subprocess.run(
            [*SCRIPT, what],
            env={
                "PATH": os.environ["PATH"],
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_DEPLOY_GITHUB_TOKEN": self.token,
                "GITHUB_API_URL": self.hub.url if self.hub else "",
                **({"GITHUB_ACTIONS": "true"} if self.hub else {}),
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert not self.token or self.token not in printed
        return done.returncode, printed

    def checked(self) -> Tag:
        return hand_over.read(self.work, Tag)


def run_of(event: work_files.Event, checkout: Path, policy: Release) -> work_files.Run:
    return runs.run(policy, event=event, dbt=runs.project(checkout, target="prod"))


def made(hub: Hub | None, work: Path) -> Job:
    checkout = work.parent / "checkout"
    checkout.mkdir()
    token = hub.create_token(BOT, installation=True, write=False) if hub else ""
    job = Job(hub=hub, work=work, checkout=checkout, token=token)
    job.git("init", "-q", "-b", "main")
    job.commit()
    return job


@pytest.fixture
def job(hub: Hub, work: Path) -> Job:
    return made(hub, work)


@pytest.fixture
def alone(work: Path) -> Job:
    """On a laptop: no GitHub near."""
    return made(None, work)


# On GitHub ----------------------------------------------------------------------------------------


@pytest.mark.fault(108)
@pytest.mark.parametrize("name", ["v1", "v1.4.0-rc1", "sales/v1.4.0", "2026.11.30"])
def test_a_tag_on_main_passes(job: Job, name: str) -> None:
    commit = job.commit()
    job.tag(commit, name)
    job.policy = runs.release(name)
    code, printed = job.check()
    assert code == 0, printed
    assert job.checked() == Tag(name=name, commit=commit, main_branch="main")
    assert f"{name} is {commit[:12]}, and on main." in printed


@pytest.mark.fault(47)
def test_a_moved_tag_is_refused(job: Job) -> None:
    job.tag(job.commit())
    assert job.check()[0] == 0
    hand_over.remove(job.work, Tag)
    assert job.hub
    moved = job.hub.create_commit(REPOSITORY, branch="main")
    job.hub.set_tag(REPOSITORY, "v1", moved)
    code, printed = job.check()
    assert code == errors.TagRefused.exit_code
    assert f"points to {moved[:12]}" in printed
    assert not hand_over.is_there(job.work, Tag)
    failure = hand_over.read(job.work, work_files.Failure)
    assert failure.kind == "TagRefused"


@pytest.mark.fault(47)
def test_a_tag_beside_main_is_refused(job: Job) -> None:
    job.tag(job.commit(branch=None))
    code, printed = job.check()
    assert code == errors.TagRefused.exit_code
    assert "is not on the branch main of acme/shop" in printed
    assert "Nothing was built" in printed


def test_a_hostile_name_reaches_nobody(job: Job) -> None:
    job.policy = runs.release("v1\n::error::x")
    code, printed = job.check()
    assert code == errors.TagRefused.exit_code
    assert job.hub
    assert job.hub.seen == []
    assert "\n::error::x" not in printed


def test_without_a_token_a_job_is_refused(job: Job) -> None:
    job.tag(job.commit())
    job.token = ""
    code, printed = job.check()
    assert code == errors.GitHubFailed.exit_code
    assert "There is no token" in printed


def test_without_a_checkout_the_events_commit_counts(job: Job, work: Path) -> None:
    commit = job.commit()
    job.tag(commit)
    job.checkout, job.sha = work.parent / "elsewhere", commit
    job.checkout.mkdir()
    code, printed = job.check(GIT_CEILING_DIRECTORIES=str(work.parent))
    assert code == 0, printed


# The label ----------------------------------------------------------------------------------------


def labelled(job: Job, label: str = "allow-breaking") -> None:
    before = job.git("rev-parse", "HEAD")
    commit = job.commit()
    job.tag(commit)
    assert job.hub
    job.hub.create_pull_request(REPOSITORY, 7)
    job.hub.merge_pull_request(REPOSITORY, 7, commit, labels=[label])
    state = plans.state(commit=before)
    hand_over.write(job.work, state)
    assert job.check()[0] == 0
    assert job.checked().breaking_allowed_by is None


def test_a_merged_pull_requests_label_allows(job: Job) -> None:
    labelled(job)
    code, printed = job.check("label")
    assert code == 0, printed
    assert job.checked().breaking_allowed_by == "the label `allow-breaking` of #7"
    assert job.checked().loss_allowed_by is None


def test_a_label_of_its_own_allows_losses(job: Job) -> None:
    labelled(job, "allow-loss")
    code, printed = job.check("label")
    assert code == 0, printed
    assert job.checked().breaking_allowed_by is None
    assert job.checked().loss_allowed_by == "the label `allow-loss` of #7"


def test_the_input_allows_without_asking(job: Job) -> None:
    job.policy = replace(job.policy, allow_breaking=True, allow_loss=True)
    labelled_tag = job.commit()
    job.tag(labelled_tag)
    assert job.check()[0] == 0
    assert job.hub
    asked = len(job.hub.seen)
    assert job.check("label")[0] == 0
    assert job.checked().breaking_allowed_by == "the input `allow-breaking`"
    assert job.checked().loss_allowed_by == "the input `allow-loss`"
    assert len(job.hub.seen) == asked


@pytest.mark.fault(48)
def test_without_an_answer_breaking_changes_are_not_allowed(job: Job) -> None:
    labelled(job)
    assert job.hub
    job.hub.add_fault(path="/pulls", status=403, message="Resource not accessible by integration")
    code, printed = job.check("label")
    assert code == 0
    assert job.checked().breaking_allowed_by is None
    assert (
        "::warning title=Whether breaking changes and losses are allowed could not be asked"
        in printed
    )
    assert "pull-requests: read" in printed
    assert not hand_over.is_there(job.work, work_files.Failure)


@pytest.mark.parametrize(
    "state",
    [
        None,
        plans.state(found=False),
        plans.state(),
    ],
)
def test_without_a_version_no_label_is_asked_for(job: Job, state: work_files.State | None) -> None:
    labelled(job)
    hand_over.remove(job.work, work_files.State)
    if state is not None:
        hand_over.write(job.work, state)
    assert job.check("label")[0] == 0
    assert job.checked().breaking_allowed_by is None


# Without GitHub -----------------------------------------------------------------------------------


def test_git_alone_is_asked_and_says_so(alone: Job) -> None:
    commit = alone.commit()
    alone.git("tag", "-m", "words", "v1")
    code, printed = alone.check()
    assert code == 0, printed
    assert "checked by git alone" in printed
    assert alone.checked() == Tag(name="v1", commit=commit, main_branch="main")
    assert alone.check("label")[0] == 0


@pytest.mark.fault(47)
def test_git_alone_refuses_too(alone: Job) -> None:
    first = alone.git("rev-parse", "HEAD")
    assert "There is no tag v1 in this clone" in alone.check()[1]
    alone.tag(first)
    alone.commit()
    code, printed = alone.check()
    assert code == errors.TagRefused.exit_code
    assert "is checked out: the tag was moved" in printed
    alone.git("checkout", "-q", "--detach", first)
    alone.tag(alone.commit())
    assert "is not on the branch main of this clone" in alone.check()[1]
    alone.policy = replace(alone.policy, main_branch="trunk")
    assert "There is no branch trunk in this clone" in alone.check()[1]


def test_it_is_a_release_or_nothing(alone: Job) -> None:
    alone.check()
    run = hand_over.read(alone.work, work_files.Run)
    hand_over.write(alone.work, runs.asked(run, runs.deploy()))
    done = subprocess.run(
        [*SCRIPT, "tag"],
        env={"PATH": os.environ["PATH"], "DBT_DEPLOY_WORK": str(alone.work)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == errors.OtherCommand.exit_code
