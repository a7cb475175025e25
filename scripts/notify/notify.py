"""What a deploy, release or rollback left -> Slack, PagerDuty and a webhook are told.

Runs last, whatever happened before it. It decides nothing: whoever does not take it is a warning,
and the exit code 0.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec

from dbtdeploy.base import actions_runner, errors, settings, timestamps
from dbtdeploy.base.settings import Notifications
from dbtdeploy.context import (
    cli,
    deploy_files,
    hand_over,
    release_files,
    rollback_files,
    work_files,
)
from dbtdeploy.context.phases import Phase
from dbtdeploy.github.release_body import GitHubRelease
from dbtdeploy.notify import (
    http_client,
    notification,
    notification_builder,
    pagerduty,
    slack,
    webhook,
)
from dbtdeploy.notify.notification import Notice

PHASE = Phase.REPORT

JSON = {"Content-Type": "application/json"}


def main() -> None:
    """Tell everybody who is to be told; one that fails keeps nobody else from it."""
    _guarded(_notify)


def _notify() -> None:
    work = settings.work_folder()
    run = hand_over.read(work, work_files.Run)
    whole = notification_builder.of(_left(work, run))
    if whole is None:
        print("Nobody is told: this run changed nothing, and was not meant to.")
        return
    notice = notification.redacted(whole, settings.redactor())
    to = Notifications.from_environ()
    _guarded(lambda: _slack(notice, to))
    _guarded(lambda: _pagerduty(notice, to))
    _guarded(lambda: _webhook(notice, to, run))


def _slack(notice: Notice, to: Notifications) -> None:
    if to.slack_webhook_url and notice.is_for_people:
        body = msgspec.json.encode(slack.message(notice))
        http_client.post(to.slack_webhook_url, body, headers=JSON, receiver="Slack")
        actions_runner.say(f"Slack was told: {notice.title}.")


def _pagerduty(notice: Notice, to: Notifications) -> None:
    event = pagerduty.event(notice, to.pagerduty_routing_key)
    if to.pagerduty_routing_key and event is not None:
        url = to.pagerduty_url or pagerduty.URL
        http_client.post(url, msgspec.json.encode(event), headers=JSON, receiver="PagerDuty")
        actions_runner.say(f"PagerDuty was told to {event['event_action']}.")


def _webhook(notice: Notice, to: Notifications, run: work_files.Run) -> None:
    if to.webhook_url:
        sent = webhook.delivery(notice, to.webhook_secret, attempt=run.event.run_attempt)
        http_client.post(to.webhook_url, sent.body, headers=sent.headers, receiver="The webhook")
        actions_runner.say(f"The webhook was told of {notice.event}.")


def _guarded(tell: Callable[[], None]) -> None:
    cli.attempt_or_warn(tell, title=errors.NotificationFailed.title, stays=http_client.NOT_DONE)


def _left(work: Path, run: work_files.Run) -> notification_builder.Left:
    def read(kind: type[hand_over.H]) -> hand_over.H | None:
        # What cannot be read is no proof of success; it keeps nobody from being told.
        with contextlib.suppress(errors.InvalidInput):
            return hand_over.read_if_there(work, kind)
        return None

    return notification_builder.Left(
        run=run,
        now=timestamps.now(),
        job_status=settings.job_status(),
        not_due=hand_over.is_there(work, deploy_files.NotNow),
        failure=read(work_files.Failure),
        build=read(work_files.Build),
        to_build=read(work_files.Plan),
        publication=read(deploy_files.Publication),
        report=read(notification_builder.ReportGlimpse),
        tag=read(release_files.Tag),
        plan=read(release_files.ReleasePlan),
        released=read(release_files.Released),
        github_release=read(GitHubRelease),
        rollback_plan=read(rollback_files.RollbackPlan),
        rolled_back=read(rollback_files.RolledBack),
    )
