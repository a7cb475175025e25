"""notify.py as action.yml runs it: a process, files, and receivers that check what they get."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.context import deploy_files, hand_over, work_files
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.release_files import Released
from dbtdeploy.github.release_body import GitHubRelease
from standins import entry, receivers
from standins.jobs import plans, runs
from standins.receivers import People
from standins.store.wire import Answer

SCRIPT = entry.script("notify/notify")
SECRET = "hunter2hunter2"
URL = "https://github.com/acme/shop/actions/runs/100"
KEY = "dbt-deploy/acme/shop/production/shop"

RELEASE = runs.run(runs.release("v1.4.0"), event=runs.event(ref="v1.4.0", run_url=URL))
DEPLOY = replace(runs.asked(RELEASE, runs.deploy()), event=replace(RELEASE.event, name="schedule"))
ROLLBACK = runs.asked(RELEASE, runs.rollback())
LIVE = Released(version="v", swapped_at="x", swap_seconds=0.4, attempts=1)
PUBLISHED = Publication(location="s3://bucket/prod", version="v")
BROKEN = plans.build(exit_code=1)


@dataclass
class Job:
    """The last step of a job."""

    people: People
    work: Path

    def leave(self, part: hand_over.HandOver) -> None:
        """What an earlier step left."""
        hand_over.write(self.work, part)

    def fail(
        self, what: str = "It was so.", kind: type[errors.DbtDeployError] | None = None
    ) -> None:
        made = (kind or errors.GateClosed)(what, not_done="Not done.", remedy="Do this.")
        self.leave(work_files.Failure.of(made, phase=Phase.BUILD))

    def notify(self, run: work_files.Run = RELEASE, **environ: str) -> str:
        """Run the script; it must exit 0. Gives all it printed."""
        self.leave(run)
        before = hand_over.is_there(self.work, work_files.Failure)
        done = subprocess.run(
            SCRIPT,
            env={
                "GITHUB_ACTIONS": "true",
                "PATH": os.environ["PATH"],
                "DBT_DEPLOY_WORK": str(self.work),
                "DBT_DEPLOY_REDACT": SECRET,
                **self.people.environ,
                **environ,
            },
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert done.returncode == 0, printed
        secret = [receivers.SLACK_PATH, receivers.ROUTING_KEY, receivers.SECRET, "5c1f0aa8d7e2"]
        assert not [one for one in (*secret, SECRET) if one in printed], printed
        assert hand_over.is_there(self.work, work_files.Failure) is before
        return printed

    @property
    def slack(self) -> list[str]:
        return [message["text"] for message in self.people.slack.messages]

    @property
    def hook(self) -> list[dict[str, Any]]:
        return self.people.webhook.told


@pytest.fixture
def job(work: Path) -> Iterator[Job]:
    with receivers.serve() as people:
        yield Job(people=people, work=work)


def warned(printed: str) -> list[str]:
    return [line for line in printed.splitlines() if line.startswith("::warning")]


# Everybody is told --------------------------------------------------------------------------------


def test_a_release_that_is_live(job: Job) -> None:
    job.leave(LIVE)
    release = GitHubRelease(tag="v1.4.0", state="published", url="https://github.com/acme/r")
    job.leave(release)
    printed = job.notify()
    assert job.slack == ["✅ v1.4.0 is live in production"]
    assert job.people.pagerduty.incidents == {KEY: "resolved"}
    (told,) = job.hook
    assert told["event"] == "release.succeeded"
    assert told["schema_version"] == 1
    assert (told["tag"], told["version"], told["run_url"]) == ("v1.4.0", "v", URL)
    assert {"text": "Release", "url": "https://github.com/acme/r"} in told["links"]
    assert not warned(printed)


def test_a_failure_opens_an_incident_and_the_next_success_closes_it(job: Job) -> None:
    job.leave(BROKEN)
    job.notify(DEPLOY, DBT_DEPLOY_JOB_STATUS="failure")
    assert job.slack == ["❌ The scheduled deploy of production failed"]
    assert job.people.pagerduty.incidents == {KEY: "open"}
    job.notify(DEPLOY, DBT_DEPLOY_JOB_STATUS="failure")
    assert list(job.people.pagerduty.incidents) == [KEY], "one incident, however often it fails"
    hand_over.remove(job.work, work_files.Build)
    job.leave(PUBLISHED)
    job.notify(DEPLOY, DBT_DEPLOY_JOB_STATUS="success")
    assert job.people.pagerduty.incidents == {KEY: "resolved"}
    assert len(job.slack) == 2, "an ordinary deploy is no news"
    assert [told["event"] for told in job.hook] == [*["deploy.failed"] * 2, "deploy.succeeded"]


def test_a_failed_release_says_why_without_the_secret(job: Job) -> None:
    job.fail(f"orders lost 40 % of its rows <{SECRET}>")
    job.notify()
    (message,) = job.people.slack.messages
    said = message["blocks"][1]["text"]["text"].replace("\u200b", "")
    assert "orders lost 40 % of its rows &lt;***&gt;" in said
    (event,) = job.people.pagerduty.events
    assert event["payload"]["custom_details"]["What to do"] == "Do this."
    assert job.hook[0]["trouble"]["kind"] == "GateClosed"
    assert SECRET not in str([message, event, job.hook])


def test_a_rollback(job: Job) -> None:
    plan = plans.rollback(to_version="w")
    done = plans.rolled_back(plan=plan)
    job.leave(done)
    job.notify(ROLLBACK)
    assert job.slack == ["↩️ production was rolled back to v1.3.0"]
    assert job.people.pagerduty.incidents == {KEY: "resolved"}
    assert job.hook[0]["event"] == "rollback.succeeded"


def test_a_hold_pages_nobody(job: Job) -> None:
    job.fail(kind=errors.OnHold)
    job.notify(DEPLOY)
    assert (job.slack, job.people.pagerduty.events) == ([], [])
    assert job.hook[0]["event"] == "deploy.held"


def test_a_push_that_waits_for_a_tag_is_no_news(job: Job) -> None:
    job.leave(deploy_files.NotNow(driver="release"))
    assert "Nobody is told" in job.notify(DEPLOY)
    assert (job.slack, job.hook) == ([], [])


def test_only_who_is_named_is_told(job: Job) -> None:
    job.leave(LIVE)
    job.people.webhook.signed = False
    job.notify(
        DBT_DEPLOY_SLACK_WEBHOOK_URL="",
        DBT_DEPLOY_PAGERDUTY_ROUTING_KEY="",
        DBT_DEPLOY_WEBHOOK_SECRET="",
    )
    assert (job.slack, job.people.pagerduty.requests) == ([], [])
    assert len(job.hook) == 1


# Whoever fails keeps nobody from it ---------------------------------------------------------------


@pytest.mark.fault(49)
@pytest.mark.parametrize("broken", ["slack", "pagerduty", "webhook"])
def test_one_that_refuses_is_a_warning(job: Job, broken: str) -> None:
    job.leave(LIVE)
    getattr(job.people, broken).faults.append(Answer(status=404, body=b"no_service"))
    (line,) = warned(job.notify())
    assert line.startswith("::warning title=A notification could not be sent::")
    assert "answered 404: no_service" in line
    assert "The result stays what it was" in line
    told = (len(job.slack), len(job.people.pagerduty.events), len(job.hook))
    assert told.count(1) == 2


@pytest.mark.fault(49)
def test_a_fault_that_passes_is_waited_for(job: Job) -> None:
    job.leave(LIVE)
    job.people.slack.faults += [Answer(status=500), Answer(lost=True)]
    job.people.pagerduty.faults.append(Answer(status=429, headers={"Retry-After": "1"}))
    assert not warned(job.notify())
    assert (len(job.slack), len(job.people.pagerduty.events)) == (1, 1)


@pytest.mark.fault(49)
def test_nobody_listens(job: Job) -> None:
    job.leave(LIVE)
    nowhere = "http://127.0.0.1:9"
    printed = job.notify(
        DBT_DEPLOY_SLACK_WEBHOOK_URL=nowhere + receivers.SLACK_PATH,
        DBT_DEPLOY_WEBHOOK_URL="http://example.com/5c1f0aa8d7e2",
    )
    assert len(warned(printed)) == 2
    assert "Slack did not answer" in printed
    assert "does not begin with https://" in printed
    assert job.people.pagerduty.incidents == {KEY: "resolved"}


@pytest.mark.fault(49)
def test_a_file_that_cannot_be_read_keeps_nobody_from_being_told(job: Job) -> None:
    (job.work / hand_over.LIVE).write_text("[")
    job.notify()
    assert job.slack == ["❌ The release of v1.4.0 to production failed"]


@pytest.mark.fault(49)
def test_without_a_run_it_is_a_warning(job: Job) -> None:
    printed = job.notify()
    (job.work / hand_over.RUN).write_text("{}")
    assert len(job.slack) == 1
    done = subprocess.run(
        SCRIPT,
        env={"PATH": os.environ["PATH"], "DBT_DEPLOY_WORK": str(job.work)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, printed
    assert "A notification could not be sent" in done.stdout
