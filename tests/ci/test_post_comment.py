"""A pull request's comment before and after its build, on a GitHub that remembers."""

from __future__ import annotations

import dataclasses
import html
import re
from dataclasses import dataclass, field
from pathlib import Path

import cmarkgfm  # type: ignore[import-untyped]
import pytest
from msgspec.structs import replace

from dbtdeploy.base import markdown
from dbtdeploy.ci import post_comment
from dbtdeploy.context import cli, hand_over, work_files
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Ci
from dbtdeploy.context.run_context import RunContext
from dbtdeploy.github.comment_marker import Marker, RunMark, RunState, mark, parse_run_mark
from standins.github.github import Hub
from standins.jobs import plans, runs

WRITERS = {"started": post_comment.started, "finished": post_comment.finished}
"""For announce_build.py and for report_pull_request.py."""

REPOSITORY = "acme/shop"
BOT = "github-actions[bot]"
SHA = "9f3c2e1d5b7a8c9e0f1a2b3c4d5e6f7a8b9c0d1e"

RUN = runs.run(
    event=runs.event(
        name="pull_request", repository=REPOSITORY, sha=SHA, ref="feature", pull_request=7
    ),
    dbt=runs.project(target="ci"),
    schema="pr_7",
)
BUILD = plans.build()


@dataclass
class Job:
    """One job on a pull request: its work folder, its token, its GitHub."""

    hub: Hub
    work: Path
    token: str
    patch: pytest.MonkeyPatch
    log: pytest.CaptureFixture[str]
    run: work_files.Run = RUN
    url: str = ""
    outputs: str = field(default="", init=False)

    def post(self, when: str, report: str | None = None) -> str:
        """Write it as the scripts do, which is never a failure. Gives all that is printed."""
        if not (self.work / hand_over.RUN).exists():
            hand_over.write(self.work, self.run)
        if report is not None:
            (self.work / work_files.COMMENT).parent.mkdir(exist_ok=True)
            (self.work / work_files.COMMENT).write_text(report, encoding="utf-8")
        output = self.work / "outputs"
        self.patch.setenv("DBT_DEPLOY_WORK", str(self.work))
        self.patch.setenv("DBT_DEPLOY_GITHUB_TOKEN", self.token)
        self.patch.setenv("GITHUB_API_URL", self.url or self.hub.url)
        self.patch.setenv("GITHUB_OUTPUT", str(output))
        cli.attempt_or_warn(
            lambda: WRITERS[when](RunContext.open(Ci)), title=post_comment.TITLE, stays="It stays."
        )
        printed = "".join(self.log.readouterr())
        assert self.token not in printed
        assert not hand_over.is_there(self.work, work_files.Failure) or "Cancelled" in (
            (self.work / hand_over.FAILURE).read_text()
        ), "a comment that fails is no failure of the run"
        self.outputs = output.read_text() if output.exists() else ""
        return printed

    def bodies(self) -> list[str]:
        return [comment["body"] for comment in self.hub.comments(REPOSITORY, 7)]

    def body(self) -> str:
        (only,) = self.bodies()
        return only

    def as_run(self, run_id: int, name: str) -> Job:
        """Another run on the same pull request."""
        work = self.work.parent / name
        work.mkdir()
        run = replace(self.run, event=replace(self.run.event, run_id=run_id))
        return dataclasses.replace(self, work=work, run=run)


@pytest.fixture
def job(
    hub: Hub, work: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Job:
    hub.create_pull_request(REPOSITORY, 7)
    token = hub.create_token(BOT, installation=True)
    return Job(hub=hub, work=work, token=token, patch=monkeypatch, log=capsys)


def of_event(job: Job, **changes: object) -> None:
    job.run = replace(job.run, event=replace(job.run.event, **changes))


def warned(printed: str) -> str:
    (line,) = [line for line in printed.splitlines() if line.startswith("::warning")]
    return line


def cancelled(job: Job) -> None:
    hand_over.write(job.work, replace(BUILD, interrupted=True))


# What is said -------------------------------------------------------------------------------------


def test_started_says_what_is_built(job: Job) -> None:
    printed = job.post("started")
    assert job.body() == (
        "<!-- dbt-deploy project=shop target=ci -->\n"
        f"<!-- dbt-deploy-run id=100 attempt=1 commit={SHA} state=running -->\n"
        "### 🔄 dbt: building 9f3c2e1\n"
        "\n"
        "dbt builds what this pull request changes in `shop`, in the schema `pr_7`. The result "
        "will replace this comment. [Run](https://github.com/acme/shop/actions/runs/100)\n"
    )
    assert "::warning" not in printed
    assert "comment-url" in job.outputs
    assert "https://github.com/acme/shop/pull/7#issuecomment-" in job.outputs


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (
            plans.state(found=False),
            "Production has no state yet, so dbt builds all of `shop`, in the schema `pr_7`. The",
        ),
        (
            plans.state(found=True, generated_at="2026-11-20T21:15:17.98Z"),
            "in `shop`, in the schema `pr_7`, compared with production's run of "
            "2026-11-20 21:15 UTC. The result",
        ),
        (
            plans.state(found=True, generated_at="yesterday"),
            "in `shop`, in the schema `pr_7`. The result",
        ),
    ],
)
def test_started_says_what_it_is_compared_with(
    job: Job, state: work_files.State, said: str
) -> None:
    hand_over.write(job.work, state)
    job.post("started")
    assert said in job.body()


@pytest.mark.fault(44)
def test_names_are_inert(job: Job) -> None:
    name = "`@acme/team` <img src=x> --> | **bold**"
    run = replace(job.run, schema=name, dbt=replace(job.run.dbt, name=name, target=name))
    job.run = replace(run, event=replace(run.event, run_url=""))
    job.post("started")
    unsafe = cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE
    shown = cmarkgfm.github_flavored_markdown_to_html(job.body(), options=unsafe)
    # A blank of no width stands where GitHub would see a mention.
    shown = shown.replace(markdown.ZERO_WIDTH_SPACE, "")
    assert shown.count(f"<code>{html.escape(name, quote=False)}</code>") == 2
    assert not re.findall("<(?!/?(?:p|h3|code)>|!-- dbt-deploy)", shown)
    assert "[Run]" not in job.body()


def test_finished_takes_the_place_of_started(job: Job) -> None:
    job.post("started")
    report = "### ✅ dbt: 3 models built\n\n<!-- dbt-deploy project=other target=ci -->\n"
    job.post("finished", report)
    first, second, rest = job.body().split("\n", 2)
    assert first == "<!-- dbt-deploy project=shop target=ci -->"
    assert second.endswith(f"commit={SHA} state=finished -->")
    assert rest == report
    assert "comment-url" in job.outputs


@pytest.mark.fault(44)
def test_a_report_of_64000_bytes_is_posted_whole(job: Job) -> None:
    report = "🔥" * 15_999 + "end\n"
    assert len(report.encode()) == 64_000
    job.run = replace(job.run, dbt=replace(job.run.dbt, name="é" * 300, target="ü" * 300))
    job.post("finished", report)
    assert job.body().endswith(report)
    assert len(job.body().encode()) <= 65_000


@pytest.mark.fault(44)
def test_a_report_that_is_too_long_is_not_cut_anywhere(job: Job) -> None:
    job.post("started")
    job.post("finished", "```\n" + "x" * 65_000)
    assert "### ⚠️ dbt: no report for 9f3c2e1\n\nThe report is longer than a comment" in job.body()
    assert "[Run](https://github.com/acme/shop/actions/runs/100)" in job.body()
    assert "state=finished" in job.body()


def test_a_job_without_a_report_does_not_go_on_building(job: Job) -> None:
    job.post("started")
    job.post("finished")
    assert "The job ended before it could write its report." in job.body()
    assert "building" not in job.body()


@pytest.mark.fault(43)
def test_two_projects_and_two_targets(job: Job) -> None:
    for number, (name, target) in enumerate([("shop", "ci"), ("shop", None), ("finance", "ci")]):
        other = job.as_run(100, f"work{number}")
        other.run = replace(other.run, dbt=replace(other.run.dbt, name=name, target=target))
        other.post("started")
        other.post("finished", f"{name} {target}")
    assert [b.splitlines()[-1] for b in job.bodies()] == ["shop ci", "shop None", "finance ci"]


def test_enterprise(job: Job) -> None:
    job.url = job.hub.enterprise_url
    job.post("started")
    job.post("finished", "done")
    assert job.body().endswith("\ndone")
    assert all(seen.path.startswith("/api/v3/") for seen in job.hub.seen)


# No comment ---------------------------------------------------------------------------------------


@pytest.mark.fault(40)
@pytest.mark.parametrize("why", ["fork", "dependabot"])
@pytest.mark.parametrize("when", ["started", "finished"])
def test_a_run_without_secrets_asks_for_nothing(job: Job, why: str, when: str) -> None:
    of_event(job, skip=why)
    printed = job.post(when, "### skipped")
    assert f"No comment: the token of this run ({why}) can only read" in printed
    assert "::warning" not in printed
    assert job.hub.seen == []
    assert job.outputs == ""


@pytest.mark.fault(50)
@pytest.mark.parametrize("event", ["merge_group", "workflow_dispatch", "schedule", "local"])
@pytest.mark.parametrize("when", ["started", "finished"])
def test_a_run_without_a_pull_request(job: Job, event: str, when: str) -> None:
    of_event(job, name=event, pull_request=None)
    printed = job.post(when, "### done")
    assert f"No comment: this run ({event}) belongs to no pull request." in printed
    assert job.hub.seen == []


def test_comments_turned_off(job: Job) -> None:
    job.run = replace(job.run, policy=replace(job.run.policy, comment=False))
    assert "No comment: the input `comment` is false." in job.post("finished", "### done")
    assert job.hub.seen == []


def test_a_build_that_will_not_be_is_not_announced(job: Job) -> None:
    job.run = replace(job.run, policy=replace(job.run.policy, on_missing_state="skip"))
    hand_over.write(job.work, plans.state(found=False))
    assert "No comment: production has no state yet" in job.post("started")
    job.post("finished", "nothing was built")
    assert job.body().endswith("\nnothing was built")


# Whose turn it is ---------------------------------------------------------------------------------


def test_an_older_run_never_overwrites_a_newer_one(job: Job) -> None:
    newer = job.as_run(101, "newer")
    job.post("started")
    newer.post("started")
    assert "a newer run wrote it" in job.post("finished", "old news")
    assert job.outputs.count("comment-url") == 1, "that of started"
    newer.post("finished", "news")
    assert "a newer run wrote it" in job.post("started")
    assert job.body().endswith("\nnews")


@pytest.mark.parametrize("how", ["build", "failure"])
def test_a_cancelled_run_tells_of_itself_only(job: Job, how: str) -> None:
    newer = job.as_run(101, "newer")
    job.post("started")
    if how == "build":
        cancelled(job)
    else:
        failure = work_files.Failure(
            kind="Cancelled",
            title="",
            what="",
            not_done="",
            remedy="",
            phase=Phase.BUILD,
            exit_code=130,
        )
        hand_over.write(job.work, failure)
    job.post("finished", "cancelled")
    assert job.body().endswith("\ncancelled")
    found = parse_run_mark(job.body())
    assert found is not None
    assert found.state is RunState.CANCELLED
    newer.post("started")
    assert "this run was cancelled" in job.post("finished", "cancelled")
    assert "building" in job.body()


def test_a_cancelled_run_begins_no_comment(job: Job) -> None:
    cancelled(job)
    assert "this run was cancelled" in job.post("finished", "cancelled")
    assert job.bodies() == []


@pytest.mark.fault(42)
def test_anothers_comment_with_our_marker_is_left_alone(job: Job) -> None:
    ours = RunMark(run_id=999, run_attempt=1, commit=SHA, state=RunState.FINISHED)
    fake = mark(Marker(project="shop", target="ci"), ours, "fake")
    job.hub.create_comment(REPOSITORY, 7, fake, "mallory")
    job.post("started")
    job.post("finished", "real")
    assert job.bodies()[0] == fake
    assert [b.splitlines()[-1] for b in job.bodies()] == ["fake", "real"]


def test_another_login_by_input(job: Job) -> None:
    job.token = job.hub.create_token("my-app[bot]", installation=True)
    assert "Set the input `comment-author` to my-app[bot]." in warned(job.post("started"))
    policy = replace(job.run.policy, comment_author="my-app[bot]")
    told = job.as_run(101, "told")
    told.run = replace(told.run, policy=policy)
    assert "::warning" not in told.post("finished", "done")
    assert job.body().endswith("\ndone")


# Failures -----------------------------------------------------------------------------------------


@pytest.mark.fault(41)
def test_a_comment_made_without_an_answer_is_adopted(job: Job) -> None:
    job.hub.add_fault(method="POST", status=502, performed=True, headers={"Retry-After": "0"})
    job.post("started")
    assert "building" in job.body()
    assert "comment-url" in job.outputs


@pytest.mark.fault(48)
def test_limits_are_waited_for(job: Job) -> None:
    job.hub.add_fault(status=429, times=3, headers={"Retry-After": "0"})
    job.post("started")
    assert "building" in job.body()


@pytest.mark.fault(48)
def test_a_long_limit_is_not_waited_for(job: Job) -> None:
    job.hub.add_fault(status=429, times=99, headers={"Retry-After": "3600"})
    assert "It asks to wait 3600 s" in warned(job.post("finished", "done"))
    assert len(job.hub.seen) == 1


@pytest.mark.parametrize("when", ["started", "finished"])
def test_a_refused_comment_is_a_warning(job: Job, when: str) -> None:
    job.token = job.hub.create_token(BOT, installation=True, write=False)
    line = warned(job.post(when, "done"))
    assert line.startswith("::warning title=The comment could not be written::")
    assert "Resource not accessible by integration" in line
    assert "the build and its result stay as they are" in line
    assert "pull-requests: write" in line
    assert job.outputs == ""


def test_broken_files_are_a_warning(job: Job) -> None:
    (job.work / hand_over.RUN).write_text("{")
    assert "run.json cannot be read" in warned(job.post("finished"))
    assert job.hub.seen == []


def test_a_fault_of_ours_is_a_warning_and_its_trace_is_in_the_log(job: Job) -> None:
    (job.work / work_files.COMMENT).parent.mkdir()
    (job.work / work_files.COMMENT).write_bytes(b"\xff\xfe")
    printed = job.post("finished")
    assert "dbt-deploy has a fault: UnicodeDecodeError" in warned(printed)
    assert "Traceback" in printed
