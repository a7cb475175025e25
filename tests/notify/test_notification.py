"""How a run ended, in the words that leave the repository."""

from __future__ import annotations

import json
import re
import typing
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.base import errors
from dbtdeploy.base.redact import redactor
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import Release
from dbtdeploy.context.release_files import (
    Gate,
    Released,
    ReleaseNode,
    RemovedNode,
    Spot,
)
from dbtdeploy.context.rollback_files import TakenRelease
from dbtdeploy.context.work_files import Failure
from dbtdeploy.github.release_body import GitHubRelease
from dbtdeploy.notify import notification, notification_builder, pagerduty, slack, webhook
from dbtdeploy.notify.notification import Fact, Link, Notice, Trouble
from dbtdeploy.notify.notification_builder import Glimpse, Left, ReportGlimpse
from standins import receivers
from standins.jobs import plans, runs
from standins.text import hostile as hostile_text
from standins.text.pages import HOSTILE, UNSEEN

SHA = "9f3c2e1d5b7a8c9e0f1a2b3c4d5e6f7a8b9c0d1e"
URL = "https://github.com/acme/shop/actions/runs/100"
SPOT = Spot(database="db", schema="analytics", identifier="orders")

RUN = runs.run(runs.deploy(), event=runs.event(sha=SHA, ref="v1.4.0", run_url=URL))
RELEASE = runs.asked(RUN, runs.release("v1.4.0"))
ROLLBACK = runs.asked(RUN, runs.rollback())
DEPLOY = RUN
SCHEDULED = replace(DEPLOY, event=replace(RUN.event, name="schedule"))
PUBLISHED = Publication(location="s3://bucket/prod", version="v", docs_url="https://docs.acme.com")
LIVE = Released(version="v", swapped_at="x", swap_seconds=0.42, attempts=2)
BUILD = plans.build()


def node(name: str, change: Any, **more: Any) -> ReleaseNode:
    return plans.release_node(name, change=change, **more)


PLAN = plans.release(
    node("orders", "changed", breaking=("column amount is removed",)),
    node("customers", "new"),
    *(node(f"down{number}", "downstream") for number in range(1200)),
    removed=(
        RemovedNode(unique_id="model.shop.old", resource_type="model", name="old", production=SPOT),
    ),
    gates=(
        Gate(name="row counts", outcome="warned", figures="orders grew by 8 %."),
        Gate(name="breaking changes", outcome="blocked", figures="1 breaking change."),
    ),
)
DONE = plans.rolled_back(
    plan=plans.rollback(
        from_version="v",
        to_version="before",
        releases=(
            TakenRelease(version="v", tag="v1.4.0", release_id="x", commit=SHA, at="2026-11-25"),
        ),
        left=("shop.analytics.events",),
        rebuild=("model.shop.wide",),
    ),
    run_url=URL,
    hold_reason="v1.4.0 was rolled back",
    reason="orders doubled",
)


def failed(kind: type[errors.DbtDeployError], what: str = "It was so.") -> Failure:
    return Failure.of(kind(what, not_done="Not done.", remedy="Do this."), phase=Phase.BUILD)


def of(run: work_files.Run = RELEASE, **left: Any) -> Notice:
    made = notification_builder.of(Left(run=run, now="2026-11-25T23:50:00+00:00", **left))
    assert made is not None
    return made


# How it ended -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("run", "left", "event", "severity", "title"),
    [
        (RELEASE, {"released": LIVE}, "release.succeeded", "info", "v1.4.0 is live in production"),
        (
            RELEASE,
            {"publication": PUBLISHED},
            "release.succeeded",
            "info",
            "v1.4.0 is live in production",
        ),
        (
            RELEASE,
            {"released": Released(version="v", resumed="nothing")},
            "release.nothing",
            "info",
            "v1.4.0 was released to production before",
        ),
        (
            RELEASE,
            {"failure": failed(errors.GateClosed)},
            "release.failed",
            "warning",
            "The release of v1.4.0 to production failed",
        ),
        (
            RELEASE,
            {"failure": failed(errors.ReleaseStepFailed)},
            "release.failed",
            "error",
            "The release of v1.4.0 to production failed",
        ),
        (
            RELEASE,
            {"failure": failed(errors.LeaseLost), "released": replace(LIVE, version=None)},
            "release.failed",
            "critical",
            "The release of v1.4.0 to production failed",
        ),
        (
            RELEASE,
            {
                "failure": failed(errors.TakenBack),
                "released": replace(LIVE, version=None, taken_back="a smoke query failed"),
            },
            "release.taken-back",
            "error",
            "v1.4.0 was taken back from production",
        ),
        (
            RELEASE,
            {"failure": failed(errors.Cancelled)},
            "release.cancelled",
            "warning",
            "The release of v1.4.0 to production was cancelled",
        ),
        (RELEASE, {}, "release.failed", "error", "The release of v1.4.0 to production failed"),
        (
            ROLLBACK,
            {"rolled_back": DONE},
            "rollback.succeeded",
            "info",
            "production was rolled back to v1.3.0",
        ),
        (
            ROLLBACK,
            {"rollback_plan": replace(DONE.plan, nothing="v1.3.0 is current already.")},
            "rollback.nothing",
            "info",
            "The rollback of production had nothing to do",
        ),
        (
            ROLLBACK,
            {"failure": failed(errors.RollbackRefused)},
            "rollback.failed",
            "critical",
            "The rollback of production failed",
        ),
        (ROLLBACK, {}, "rollback.failed", "critical", "The rollback of production failed"),
        (
            DEPLOY,
            {"publication": PUBLISHED, "build": BUILD},
            "deploy.succeeded",
            "info",
            "The deploy of production succeeded",
        ),
        (
            DEPLOY,
            {"to_build": plans.plan()},
            "deploy.nothing",
            "info",
            "The deploy of production had nothing to do",
        ),
        (
            SCHEDULED,
            {"build": replace(BUILD, exit_code=1), "publication": PUBLISHED},
            "deploy.failed",
            "error",
            "The scheduled deploy of production failed",
        ),
        (
            SCHEDULED,
            {"publication": PUBLISHED, "job_status": "failure"},
            "deploy.failed",
            "error",
            "The scheduled deploy of production failed",
        ),
        (
            SCHEDULED,
            {"failure": failed(errors.OnHold)},
            "deploy.held",
            "warning",
            "The scheduled deploy of production was refused: it is on hold",
        ),
        (
            DEPLOY,
            {"build": replace(BUILD, interrupted=True, exit_code=1)},
            "deploy.cancelled",
            "warning",
            "The deploy of production was cancelled",
        ),
        (
            DEPLOY,
            {"job_status": "cancelled"},
            "deploy.cancelled",
            "warning",
            "The deploy of production was cancelled",
        ),
        (DEPLOY, {}, "deploy.failed", "error", "The deploy of production failed"),
    ],
)
def test_how_it_ended(
    run: work_files.Run, left: dict[str, Any], event: str, severity: str, title: str
) -> None:
    made = of(run, **left)
    assert (made.event, made.severity, made.title) == (event, severity, title)
    assert (made.trouble is not None) is (made.outcome in {*notification.BAD, "held"})


@pytest.mark.parametrize(
    ("run", "left"),
    [
        (DEPLOY, {"not_due": True}),
        (runs.asked(RUN, runs.release("v1", dry_run=True)), {"released": LIVE}),
        (runs.asked(RUN, runs.rollback(dry_run=True)), {}),
    ],
)
def test_of_what_was_not_meant_to_change_anything_nobody_is_told(
    run: work_files.Run, left: dict[str, Any]
) -> None:
    assert notification_builder.of(Left(run=run, now="", **left)) is None


def test_a_killed_rollback_that_this_release_finished_is_not_what_it_tells() -> None:
    made = of(released=LIVE, rolled_back=DONE)
    assert made.title == "v1.4.0 is live in production"
    assert (made.version, made.facts[0].name) == ("v", "Swap")
    nothing = replace(DONE.plan, nothing="v1.3.0 is current already.")
    assert of(ROLLBACK, rolled_back=DONE, rollback_plan=nothing).event == "rollback.succeeded"


def test_what_was_built_in_place_after_the_swap_is_current() -> None:
    later = Publication(location="s3://bucket/prod", version="later")
    assert of(released=LIVE, publication=later).version == "later"


# What is told -------------------------------------------------------------------------------------


def told(made: Notice) -> dict[str, str]:
    return {fact.name: fact.value for fact in made.facts}


def test_a_release_tells_what_changed() -> None:
    release = GitHubRelease(tag="v1.4.0", state="published", url="https://github.com/acme/r/v1.4.0")
    made = of(released=LIVE, plan=PLAN, publication=PUBLISHED, github_release=release)
    assert told(made) == {
        "Models": "1 changed, 1 new, 1,200 downstream of them, 1 removed",
        "Breaking": "orders",
        "Warning": "row counts: orders grew by 8 %.",
        "Swap": "0.4 s, 2 tries",
    }
    assert [link.text for link in made.links] == ["Run", "Release", "Documentation"]
    assert (made.tag, made.version, made.commit) == ("v1.4.0", "v", SHA)


def test_a_closed_gate_is_named() -> None:
    made = of(failure=failed(errors.GateClosed), plan=PLAN)
    assert told(made) == {"Gate: breaking changes": "1 breaking change."}
    assert made.trouble is not None
    assert made.trouble.title == "A gate stopped the release"
    assert made.trouble.remedy == "Do this."


def test_a_failed_deploy_names_what_failed() -> None:
    report = ReportGlimpse(
        nodes=tuple(Glimpse(name=f"m{number}", outcome="failed") for number in range(7)),
        tests=(Glimpse(name="t", outcome="failed"), Glimpse(name="u", outcome="passed")),
    )
    made = of(SCHEDULED, build=replace(BUILD, exit_code=1), report=report)
    assert told(made) == {
        "Failed models": "m0, m1, m2, m3, m4 and 2 more",
        "Failed tests": "t",
    }
    assert made.trouble == notification_builder.DBT_FAILED


def test_a_rollback_tells_what_is_not_as_before() -> None:
    made = of(ROLLBACK, rolled_back=DONE)
    assert told(made) == {
        "Taken back": "v1.4.0",
        "Why": "orders doubled",
        "Left as they are": "shop.analytics.events",
        "To be built again": "model.shop.wide",
        "On hold": "Nothing is deployed until `command: lift-hold`.",
    }
    assert made.version == "before"


def test_rows_of_data_stay_in_the_warehouse() -> None:
    run = runs.changed(RELEASE, Release, hide_row_data=True)
    made = of(run, failure=failed(errors.SwapFailed, "Key (email)=(ann@acme.com) exists"))
    assert made.trouble is not None
    assert made.trouble.what == ""
    assert made.trouble.title == "The swap failed"


@pytest.mark.fault(51)
def test_no_secret_is_told_in_whatever_spelling() -> None:
    secret = "p<w>d&1"
    made = of(ROLLBACK, rolled_back=replace(DONE, reason=f"the password {secret} leaked"))
    hidden = notification.redacted(made, redactor([secret, "rollback", "info"]))
    assert "the password *** leaked" in told(hidden)["Why"]
    assert (hidden.command, hidden.severity) == ("rollback", "info"), "words of ours stay"
    for text in (slack.message(hidden), pagerduty.event(hidden, "k"), webhook.delivery(hidden, "")):
        assert "p<w>d" not in str(text)
        assert "p&lt;w" not in str(text)


# For whom -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("event", "people", "pages"),
    [
        ("release.succeeded", True, "resolve"),
        ("release.nothing", False, "resolve"),
        ("release.failed", True, "trigger"),
        ("release.taken-back", True, "trigger"),
        ("release.held", True, None),
        ("release.cancelled", True, None),
        ("rollback.succeeded", True, "resolve"),
        ("rollback.nothing", False, None),
        ("rollback.failed", True, "trigger"),
        ("deploy.succeeded", False, "resolve"),
        ("deploy.nothing", False, "resolve"),
        ("deploy.failed", True, "trigger"),
        ("deploy.held", False, None),
        ("deploy.cancelled", False, None),
    ],
)
def test_who_is_told_of_what(event: str, people: bool, pages: str | None) -> None:
    command, _, outcome = event.partition(".")
    made = replace(of(released=LIVE), command=command, outcome=outcome)
    assert made.event == event
    assert made.is_for_people is people
    paged = pagerduty.event(made, "k")
    assert (paged["event_action"] if paged else None) == pages


# Slack --------------------------------------------------------------------------------------------


def texts(message: dict[str, Any]) -> list[str]:
    """Every text of mrkdwn in it."""
    blocks = message["blocks"]
    parts = [
        part
        for block in blocks
        for part in (block.get("text"), *block.get("fields", []), *block.get("elements", []))
    ]
    return [part["text"] for part in parts if part and part["type"] == "mrkdwn"]


def test_slack_is_told_of_a_release() -> None:
    message = slack.message(of(released=LIVE, plan=PLAN, publication=PUBLISHED))
    assert receivers.wrong_blocks(message["blocks"]) == ""
    assert message["text"] == "✅ v1.4.0 is live in production"
    assert message["blocks"][0]["text"]["text"] == message["text"]
    assert texts(message)[0] == "*Models*\n1 changed, 1 new, 1,200 downstream of them, 1 removed"
    assert texts(message)[-1] == (
        f"<{URL}|Run> · <https://docs.acme.com|Documentation> · acme/shop shop · 9f3c2e1 · by ann"
    )


def test_slack_is_told_of_a_failure() -> None:
    message = slack.message(of(failure=failed(errors.GateClosed), plan=PLAN))
    assert message["text"].startswith("❌ The release of v1.4.0")
    assert texts(message)[0] == "*A gate stopped the release*\nIt was so.\nNot done.\nDo this."


def hostile(text: str) -> Notice:
    made = of(failure=failed(errors.GateClosed), plan=PLAN)
    assert made.trouble is not None
    return replace(
        made,
        title=text or "x",
        project=text,
        repository=text,
        actor=text,
        trouble=replace(made.trouble, title=text, what=text, not_done=text, remedy=text),
        facts=tuple(Fact(name=text, value=text) for _ in range(30)),
        links=(Link(text=text, url="https://acme.com/a|b>c&d"),),
    )


@pytest.mark.fault(44, 71)
@pytest.mark.parametrize("longer", [1, 3000])
@hostile_text.written
def test_hostile_names_are_inert_for_slack_and_fit(longer: int, text: str) -> None:
    message = slack.message(hostile(text * longer))
    assert receivers.wrong_blocks(message["blocks"]) == ""
    for one in texts(message):
        bare = one.replace("<https://acme.com/a%7Cb%3Ec&amp;d|", "")
        assert "<" not in bare
        assert bare.count("&") == sum(bare.count(e) for e in ("&amp;", "&lt;", "&gt;"))
        assert not re.search(r":[a-z+-]+:", bare)
        assert not UNSEEN.search(one)
    assert not UNSEEN.search(message["blocks"][0]["text"]["text"])


# PagerDuty ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", HOSTILE)
def test_an_incident_fits(text: str) -> None:
    event = pagerduty.event(replace(hostile(text), title="x" * 5000), receivers.ROUTING_KEY)
    assert event is not None
    assert len(event["payload"]["summary"]) <= 1024
    assert len(event["dedup_key"]) <= 255
    assert all(len(value) <= 2000 for value in event["payload"]["custom_details"].values())


def test_an_incident_says_what_to_do() -> None:
    event = pagerduty.event(of(failure=failed(errors.GateClosed), plan=PLAN), "key")
    assert event == {
        "routing_key": "key",
        "dedup_key": "dbt-deploy/acme/shop/production/shop",
        "event_action": "trigger",
        "payload": {
            "summary": "The release of v1.4.0 to production failed: A gate stopped the release",
            "source": "acme/shop",
            "severity": "warning",
            "timestamp": "2026-11-25T23:50:00+00:00",
            "component": "shop",
            "group": "production",
            "class": "release.failed",
            "custom_details": {
                "Gate: breaking changes": "1 breaking change.",
                "What happened": "It was so.",
                "What was not done": "Not done.",
                "What to do": "Do this.",
            },
        },
        "links": [{"href": URL, "text": "Run"}],
        "client": "dbt-deploy",
        "client_url": URL,
    }


def test_one_incident_for_each_environment_and_project() -> None:
    made = of(released=LIVE)
    keys = {
        pagerduty.dedup_key(one)
        for one in (
            made,
            replace(made, command="deploy", outcome="failed", tag=None, commit="other"),
            replace(made, project="finance"),
            replace(made, environment="staging"),
            replace(made, project="x" * 300),
            replace(made, project="x" * 301),
        )
    }
    assert len(keys) == 5
    assert all(len(key) <= 255 for key in keys)


# A webhook ----------------------------------------------------------------------------------------


def test_a_delivery_is_signed_and_known_again() -> None:
    made = of(released=LIVE, plan=PLAN)
    once, again = (webhook.delivery(made, "key") for _ in range(2))
    assert once == again
    assert once.headers["X-Dbt-Deploy-Event"] == "release.succeeded"
    # As `openssl dgst -sha256 -hmac key` says it.
    assert webhook.signature(b'{"a": 1}', "key") == (
        "sha256=85e7b68cdf027474f0f0b8e2e63c4afb88cacf8a3e503aa13160f290dfc506d4"
    )
    assert "X-Dbt-Deploy-Signature" not in webhook.delivery(made, "").headers
    later = webhook.delivery(made, "key", attempt=2)
    assert later.headers["X-Dbt-Deploy-Delivery"] != once.headers["X-Dbt-Deploy-Delivery"]


def test_every_field_and_event_is_described() -> None:
    page = (Path(__file__).parents[2] / "docs" / "notifications.md").read_text(encoding="utf-8")
    told = webhook.delivery(of(released=LIVE), "").body
    names = [*json.loads(told), *Trouble.__struct_fields__]
    assert [name for name in names if f"`{name}`" not in page] == []
    for command in ("deploy", "release", "rollback"):
        for outcome in typing.get_args(notification.RunOutcome):
            possible = outcome != "taken-back" or command == "release"
            possible = possible and (command, outcome) != ("rollback", "held")
            assert (f"`{command}.{outcome}`" in page) is possible, (command, outcome)


def test_runs_without_an_address_are_told_apart() -> None:
    made = replace(of(released=LIVE), run_url="")
    first, second = (webhook.delivery(made, "").headers["X-Dbt-Deploy-Delivery"] for _ in range(2))
    assert first != second
