"""Which marked schemas a sweep drops."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.github.pull_requests_api import Answers, PullRequest
from dbtdeploy.teardown import stale_schemas
from dbtdeploy.teardown.teardown_files import MarkedSchema
from dbtdeploy.warehouse import schema_owner
from dbtdeploy.warehouse.schema_owner import Owner, OwnerMark
from standins.jobs import builds

NOW = datetime(2026, 11, 21, tzinfo=timezone.utc)
SCHEMA = MarkedSchema(schema="pr_7_shop", comment="")
FAILURE = errors.GitHubFailed("no", not_done="", remedy="")


def judged(
    mark: OwnerMark | None,
    pull: PullRequest | None = None,
    failure: errors.GitHubFailed | None = None,
) -> tuple[bool, str]:
    """Whether it goes, and why it goes or stays."""
    answers = Answers(known={7: pull} if pull else {}, failure=failure)
    choice = stale_schemas.choose([(SCHEMA, mark)], answers, now=NOW, older_than_days=14)
    if choice.wanted:
        (wanted,) = choice.wanted
        assert choice.kept == ()
        assert mark is not None
        assert wanted.owner == mark.owner
        return True, wanted.why
    (kept,) = choice.kept
    return False, kept.reason


def used(days: float, number: int | None = 7) -> OwnerMark:
    when = datetime.fromtimestamp(NOW.timestamp() - days * 86_400, timezone.utc)
    return OwnerMark(owner=Owner(pull_request=number, ref="" if number else "main"), last_used=when)


@pytest.mark.parametrize(
    ("mark", "pull", "goes", "why"),
    [
        (used(0), PullRequest(closed=True), True, "closed without a merge"),
        (used(0), PullRequest(closed=True, merged=True), True, "merged"),
        (used(13.9), PullRequest(), False, "last used 13 days ago"),
        (used(14), PullRequest(), True, "last used 14 days ago"),
        (used(1), PullRequest(), False, "last used 1 day ago"),
        (used(0.5), PullRequest(), False, "last used 12 hours ago"),
        (used(-3), PullRequest(), False, "last used less than a minute ago"),
        (used(13, None), None, False, "last used 13 days ago"),
        (used(15, None), None, True, "last used 15 days ago"),
        (used(99), PullRequest(known=False), False, "GitHub does not know pull request 7"),
        (used(99), None, False, "GitHub did not say whether pull request 7 is closed"),
        (replace(used(0), last_used=None), PullRequest(), False, "does not say when"),
        (replace(used(0), last_used=None), PullRequest(closed=True), True, "closed"),
        (None, None, False, "its mark is not as dbt-deploy writes it"),
    ],
)
def test_what_goes_and_what_stays(
    mark: OwnerMark | None, pull: PullRequest | None, goes: bool, why: str
) -> None:
    told = judged(mark, pull)
    assert told[0] is goes
    assert why in told[1]


def test_github_being_away_drops_no_pull_requests_schema() -> None:
    assert judged(used(99), failure=FAILURE)[0] is False


def test_marks_are_read_back_as_they_were_written() -> None:
    for event in (
        {"pull_request": 7},
        {"pull_request": None, "ref": "feature/ä b\n%20"},
        {"pull_request": None, "ref": "pull_request=7"},
    ):
        run = replace(builds.RUN, event=replace(builds.RUN.event, **event))
        mark = schema_owner.read_mark(schema_owner.schema_mark(run), run)
        assert mark is not None
        assert mark.owner.pull_request == event["pull_request"]
        assert event["pull_request"] or mark.owner.ref == event["ref"]
        assert mark.last_used is not None


@pytest.mark.parametrize(
    "change",
    [
        lambda mark: " " + mark,
        lambda mark: mark.replace("pull_request=7", "pull_request=7 "),
        lambda mark: mark.replace("pull_request=7", "pull_request=07"),
        lambda mark: mark.replace("pull_request=7", "pull_request=-7"),
        lambda mark: mark.replace("pull_request=7", "pull_request=\u0667"),
        lambda mark: mark.replace("pull_request=7", "pull_request=7 pull_request=8"),
        lambda mark: mark.replace("target=", "target=x"),
        lambda mark: mark.replace("repository=", "repository=other/"),
        lambda _mark: "",
    ],
)
def test_what_is_not_exactly_a_mark_is_none(change: object) -> None:
    run = replace(builds.RUN, event=replace(builds.RUN.event, pull_request=7))
    mark = schema_owner.schema_mark(run)
    assert callable(change)
    assert schema_owner.read_mark(mark, run) is not None
    assert schema_owner.read_mark(change(mark), run) is None
