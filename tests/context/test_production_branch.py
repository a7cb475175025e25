"""Production is changed from the main branch only."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubContext
from dbtdeploy.context import event, production_branch
from demo import events
from demo.repository import Checkout

CHECKOUT = Checkout(folder=Path("/w"), head_sha="a" * 40, merge_sha="b" * 40)


def check(started: events.Event, *, command: str = "deploy", main_branch: str = "") -> None:
    context = GitHubContext(
        event_name=started.name,
        event_path=None,
        repository="acme/shop",
        sha=started.sha,
        ref=started.ref,
        ref_name=started.ref.removeprefix("refs/heads/"),
        actor="ada",
        run_id="1",
        run_attempt="1",
        server_url="https://github.com",
        workspace=Path("/w"),
    )
    read = event.read_event(context, started.payload)
    production_branch.check(command, read, ref=started.ref, main_branch=main_branch)


def without_repository(started: events.Event, **changes: Any) -> events.Event:
    payload = {k: v for k, v in started.payload.items() if k != "repository"}
    return events.Event(
        **{"name": started.name, "payload": payload, "sha": "", "ref": started.ref, **changes}
    )


@pytest.mark.fault(70)
@pytest.mark.parametrize("command", ["deploy", "rollback", "clean-up"])
@pytest.mark.parametrize(
    "started",
    [
        events.manual(CHECKOUT, branch="feature"),
        events.manual(CHECKOUT, branch="x/main"),
        events.tag(CHECKOUT, "main"),
        events.tag(CHECKOUT, "v1.4.0"),
        events.pull_request(7, "A change", "feature", CHECKOUT),
        # From a fork, whose branch is called as ours is.
        events.pull_request(7, "A change", "main", CHECKOUT),
        events.merge_group(CHECKOUT),
        without_repository(events.manual(CHECKOUT)),
    ],
    ids=lambda started: f"{started.name} {started.ref[:24]}",
)
def test_from_elsewhere_it_is_refused(started: events.Event, command: str) -> None:
    with pytest.raises(errors.BranchRefused) as caught:
        check(started, command=command)
    assert caught.value.not_done == (
        f"`{command}` did nothing; production and its state are as they were."
    )
    assert "`main-branch`" in caught.value.remedy


@pytest.mark.fault(70)
@pytest.mark.parametrize(
    "started",
    [
        events.push(CHECKOUT),
        events.manual(CHECKOUT),
        events.schedule(CHECKOUT),
        events.repository_dispatch(CHECKOUT),
        without_repository(events.schedule(CHECKOUT)),
    ],
    ids=lambda started: started.name,
)
def test_from_the_main_branch_it_goes_on(started: events.Event) -> None:
    check(started)


@pytest.mark.fault(70)
def test_another_branch_may_be_the_main_one_and_then_the_default_one_is_not() -> None:
    check(events.manual(CHECKOUT, branch="live"), main_branch="live")
    with pytest.raises(errors.BranchRefused, match=r"`main`, and .* from `live` only"):
        check(events.push(CHECKOUT), main_branch="live")


def test_a_build_of_a_pull_request_a_release_and_a_laptop_are_not_asked() -> None:
    branch = events.manual(CHECKOUT, branch="feature")
    for command in ("ci", "release", "teardown"):
        check(branch, command=command)
    check(events.Event(name="", payload={}, sha="", ref=""))
