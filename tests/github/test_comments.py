"""The comment, on a GitHub that checks every request and answer and forgets nothing."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github.comment_marker import Marker, RunMark, RunState, mark
from dbtdeploy.github.comments import REPEATS, WAIT_SECONDS, Comments, Written
from standins.github.github import Hub

REPOSITORY = "acme/shop"
BOT = "github-actions[bot]"
MARKER = Marker(project="shop", target="ci")


@dataclass
class Time:
    """A clock that only moves when somebody sleeps."""

    now: float = field(default_factory=time.time)
    waits: list[float] = field(default_factory=list)
    while_asleep: Callable[[], None] = lambda: None

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        self.while_asleep()


@dataclass
class World:
    """One pull request, and one token to comment on it."""

    hub: Hub
    token: str
    time: Time = field(default_factory=Time)
    author: str = BOT
    url: str = ""

    def write(self, text: str, ours: RunMark | None = None, marker: Marker = MARKER) -> Written:
        written = self.try_to_write(text, ours, marker)
        assert written is not None
        return written

    def try_to_write(
        self,
        text: str,
        ours: RunMark | None = None,
        marker: Marker = MARKER,
        asked_at: str = "",
    ) -> Written | None:
        ours = ours or run(1)
        access = GitHubAccess(api_url=self.url or self.hub.url, token=self.token)
        comments = Comments(
            access, author=self.author, sleep=self.time.sleep, clock=lambda: self.time.now
        )
        body = mark(marker, ours, text)
        return comments.upsert_comment(REPOSITORY, 7, marker, ours, body, asked_at=asked_at)

    def texts(self) -> list[str]:
        """What people see of each comment."""
        return [c["body"].splitlines()[-1] for c in self.hub.comments(REPOSITORY, 7)]

    def sent(self, method: str) -> int:
        return sum(seen.method == method for seen in self.hub.seen)


@pytest.fixture
def world(hub: Hub) -> World:
    hub.create_pull_request(REPOSITORY, 7)
    return World(hub=hub, token=hub.create_token(BOT, installation=True))


def run(run_id: int, attempt: int = 1, state: RunState = RunState.RUNNING) -> RunMark:
    return RunMark(run_id=run_id, run_attempt=attempt, commit="9f3c2e1", state=state)


def theirs(text: str, ours: RunMark | None = None, marker: Marker = MARKER) -> str:
    return mark(marker, ours or run(1), text)


# One comment, ours --------------------------------------------------------------------------------


def test_written_once_then_updated_in_place(world: World) -> None:
    first = world.write("one")
    second = world.write("two")
    assert first == second
    assert first.url == "https://github.com/acme/shop/pull/7#issuecomment-" + first.url[-4:]
    assert first.author == BOT
    assert world.texts() == ["two"]
    world.write("two")
    assert world.sent("PATCH") == 1, "an equal body is not sent again"


@pytest.mark.fault(43)
def test_each_project_and_target_has_its_comment(world: World) -> None:
    names = [("shop", "ci"), ("shop", "staging"), ("finance", "ci"), ("finance", "")]
    for text in ("first", "second"):
        for project, target in names:
            marker = Marker(project=project, target=target)
            world.write(f"{text} {project} {target}", marker=marker)
    assert world.texts() == [f"second {project} {target}" for project, target in names]


@pytest.mark.parametrize("position", [0, 99, 100, 249])
def test_found_on_any_page(world: World, position: int) -> None:
    for number in range(250):
        ours = number == position
        author = BOT if ours else "octocat"
        world.hub.create_comment(REPOSITORY, 7, theirs("old") if ours else "words", author)
    world.write("new")
    assert world.texts().count("new") == 1
    assert world.texts()[position] == "new"
    assert world.sent("POST") == 0


@pytest.mark.fault(111)
def test_a_forged_run_number_does_not_silence_us(world: World) -> None:
    world.hub.create_comment(REPOSITORY, 7, theirs("forged", run(10**18)), BOT)
    world.hub.create_comment(REPOSITORY, 7, theirs("forged too", run(10**18 + 1)), BOT)
    world.write("real", run(20_000_000_000))
    assert world.texts() == ["real"]


@pytest.mark.fault(111)
def test_a_number_of_a_run_yet_to_come_does_not_outlast_the_next_push(world: World) -> None:
    world.hub.create_comment(REPOSITORY, 7, theirs("forged", run(101)), BOT)
    written = world.hub.comments(REPOSITORY, 7)[0]["updated_at"]
    pushed = datetime.fromisoformat(written.replace("Z", "+00:00"))
    before, after = (pushed + timedelta(seconds=seconds) for seconds in (-5, 5))
    assert world.try_to_write("old", run(100), asked_at=before.isoformat()) is None
    assert world.try_to_write("new", run(100), asked_at=after.isoformat()) is not None
    assert world.texts() == ["new"]


@pytest.mark.fault(42)
def test_anothers_comment_with_our_marker_is_left_alone(world: World) -> None:
    body = theirs("fake", run(999))
    world.hub.create_comment(REPOSITORY, 7, body, "mallory")
    world.write("real")
    world.write("real again")
    assert world.texts() == ["fake", "real again"]
    assert world.hub.comments(REPOSITORY, 7)[0]["body"] == body


@pytest.mark.parametrize("before", ["> ", "As said:\n\n"])
def test_our_login_quoting_the_marker_is_not_our_comment(world: World, before: str) -> None:
    world.hub.create_comment(REPOSITORY, 7, before + theirs("quoted"), BOT)
    world.write("real")
    assert world.texts() == ["quoted", "real"]


def test_a_personal_token_is_asked_who_it_is(world: World) -> None:
    world.hub.create_comment(REPOSITORY, 7, theirs("a bot's"), BOT)
    world.token = world.hub.create_token("deployer")
    assert world.write("one").author == "deployer"
    world.write("two")
    assert world.texts() == ["a bot's", "two"]


def test_an_apps_login_is_told(world: World) -> None:
    world.token = world.hub.create_token("my-app[bot]", installation=True)
    world.author = "My-App[bot]"
    assert not world.write("one").unexpected_author
    world.write("two")
    assert world.texts() == ["two"]


def test_an_app_whose_login_was_not_told_is_noticed(world: World) -> None:
    world.token = world.hub.create_token("my-app[bot]", installation=True)
    written = world.write("one")
    assert written.unexpected_author
    assert written.author == "my-app[bot]"


def test_duplicates_of_a_race_go(world: World) -> None:
    for number, author in enumerate([BOT, "mallory", BOT, BOT]):
        world.hub.create_comment(REPOSITORY, 7, theirs(f"copy {number}"), author)
    world.write("new")
    assert world.texts() == ["new", "copy 1"]


def test_a_duplicate_that_cannot_be_deleted_hides_nothing(world: World) -> None:
    for number in range(2):
        world.hub.create_comment(REPOSITORY, 7, theirs(f"copy {number}"), BOT)
    world.hub.add_fault(method="DELETE", status=502)
    assert world.write("new").url
    assert world.texts() == ["new", "copy 1"]
    world.write("newer")
    assert world.texts() == ["newer"]


def test_enterprise_is_asked_under_its_own_path(world: World) -> None:
    for number in range(101):
        world.hub.create_comment(REPOSITORY, 7, f"words {number}", "octocat")
    for url in (world.hub.enterprise_url, world.hub.enterprise_url + "/"):
        world.url = url
        world.write(f"from {url}")
    assert len(world.texts()) == 102
    assert all(seen.path.startswith("/api/v3/") for seen in world.hub.seen)


# Who may write over whom --------------------------------------------------------------------------


def test_an_older_run_never_overwrites_a_newer_ones(world: World) -> None:
    world.write("newer", run(20))
    done = RunState.FINISHED
    for ours in (run(19), run(19, attempt=3), run(9, state=done)):
        assert world.try_to_write("older", ours) is None
    assert world.texts() == ["newer"]
    assert world.sent("PATCH") == 0


def test_the_newest_of_duplicates_decides(world: World) -> None:
    world.hub.create_comment(REPOSITORY, 7, theirs("old", run(5)), BOT)
    world.hub.create_comment(REPOSITORY, 7, theirs("newest", run(9)), BOT)
    assert world.try_to_write("late", run(7)) is None
    assert world.texts() == ["old", "newest"]


def test_a_cancelled_run_writes_over_its_own_words_only(world: World) -> None:
    cancelled = run(5, state=RunState.CANCELLED)
    assert world.try_to_write("cancelled", cancelled) is None
    assert world.texts() == []
    world.write("building", run(5))
    assert world.try_to_write("cancelled", cancelled) is not None
    assert world.texts() == ["cancelled"]
    world.write("newer", run(6))
    assert world.try_to_write("cancelled", cancelled) is None
    assert world.texts() == ["newer"]


def test_a_comment_whose_run_cannot_be_read_is_written_over(world: World) -> None:
    world.hub.create_comment(REPOSITORY, 7, f"{MARKER.render()}\n<!-- nonsense -->\nold", BOT)
    world.write("new")
    assert world.texts() == ["new"]


def test_a_newer_run_that_wrote_while_we_waited_stays(world: World) -> None:
    comment = world.hub.create_comment(REPOSITORY, 7, theirs("old", run(1)), BOT)
    newer = theirs("newer", run(3))
    world.time.while_asleep = lambda: world.hub.edit_comment(comment, newer)
    world.hub.add_fault(method="PATCH", status=429, headers={"Retry-After": "60"})
    assert world.try_to_write("ours", run(2)) is None
    assert world.texts() == ["newer"]


# Faults on the way --------------------------------------------------------------------------------


@pytest.mark.fault(41)
@pytest.mark.parametrize("status", [500, 502, 503, 504, None])
@pytest.mark.parametrize("performed", [True, False])
def test_a_post_without_an_answer_makes_one_comment(
    world: World, status: int | None, performed: bool
) -> None:
    world.hub.add_fault(method="POST", status=status, performed=performed)
    written = world.write("once")
    assert world.texts() == ["once"]
    assert world.sent("POST") == (1 if performed else 2)
    assert written.url == world.hub.comments(REPOSITORY, 7)[0]["html_url"]
    assert world.time.waits == [1.0]


@pytest.mark.fault(41)
def test_an_adopted_comment_is_by_our_login(world: World) -> None:
    """Another's comment with our marker is not taken for the one that may have been made."""
    world.hub.create_comment(REPOSITORY, 7, theirs("once"), "mallory")
    world.hub.add_fault(method="POST", status=502, performed=True)
    world.write("once")
    assert world.texts() == ["once", "once"]
    assert world.sent("POST") == 1


@pytest.mark.fault(48)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, [7.0]),
        ({"status": 429, "headers": {"Retry-After": "7"}, "times": 3}, [7.0] * 3),
        ({"status": 403, "headers": {"Retry-After": "30"}, "message": "Slow down."}, [30.0]),
        (
            {"status": 403, "message": "You have exceeded a secondary rate limit."},
            [60.0],
        ),
        ({"status": 500}, [1.0]),
        ({"status": 503, "times": 3}, [1.0, 2.0, 4.0]),
        ({"status": 503, "headers": {"Retry-After": "20"}}, [20.0]),
        ({"status": None, "times": 2}, [1.0, 2.0]),
    ],
)
def test_waits_as_told_and_goes_on(
    world: World, method: str, fault: dict[str, object], waits: list[float]
) -> None:
    if method == "PATCH":
        world.write("old")
    world.hub.add_fault(method=method, **fault)
    world.write("new")
    assert world.time.waits == waits
    assert world.texts() == ["new"]


@pytest.mark.fault(48)
def test_waits_until_the_limit_is_reset(world: World) -> None:
    world.hub.limit_rate(remaining=1, reset=int(world.time.now) + 90)
    world.time.while_asleep = lambda: world.hub.limit_rate(5000, 0)
    world.write("new")
    (waited,) = world.time.waits
    assert 90 <= waited <= 91.0
    assert world.texts() == ["new"]


@pytest.mark.fault(48)
@pytest.mark.parametrize(
    ("fault", "waits", "said"),
    [
        ({"status": 429, "headers": {"Retry-After": "3600"}}, 0, "wait 3600 s"),
        ({"status": 429, "headers": {"Retry-After": "1"}}, REPEATS, "answered 429"),
        ({"status": 403, "message": "You have exceeded a secondary rate limit."}, 2, "403"),
        ({"status": 503}, REPEATS, "answered 503"),
        ({"status": None}, REPEATS, "did not answer"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_waiting_is_bounded(
    world: World, method: str, fault: dict[str, object], waits: int, said: str
) -> None:
    world.hub.add_fault(method=method, times=1000, **fault)
    with pytest.raises(errors.GitHubFailed, match=said) as caught:
        world.write("new")
    assert len(world.time.waits) == waits
    assert sum(world.time.waits) <= WAIT_SECONDS
    assert "result stay" in caught.value.not_done
    assert world.texts() == []


@pytest.mark.fault(48)
def test_a_list_goes_on_at_the_page_that_failed(world: World) -> None:
    for number in range(250):
        world.hub.create_comment(REPOSITORY, 7, f"words {number}", "octocat")
    world.hub.create_comment(REPOSITORY, 7, theirs("old"), BOT)
    world.hub.add_fault(path="page=2", status=502)
    world.write("new")
    assert [s.status for s in world.hub.seen if "page=2" in s.path] == [502, 200]
    assert world.sent("GET") == 3 + 1
    assert world.texts()[-1] == "new"


# Refusals -----------------------------------------------------------------------------------------


def refused(world: World, text: str = "new") -> errors.GitHubFailed:
    with pytest.raises(errors.GitHubFailed) as caught:
        world.write(text)
    assert world.time.waits == [], "what no wait can mend is not tried again"
    assert world.token not in f"{caught.value}{caught.value!r}" or not world.token
    return caught.value


def test_a_read_only_token(world: World) -> None:
    world.token = world.hub.create_token(BOT, installation=True, write=False)
    failure = refused(world)
    assert "403 for pull request 7 of acme/shop" in failure.what
    assert "`permissions: pull-requests: write`" in failure.remedy


def test_a_personal_token_without_permission(world: World) -> None:
    world.token = world.hub.create_token("deployer", write=False)
    assert "read and write access to pull requests" in refused(world).remedy


def test_a_wrong_token(world: World) -> None:
    world.token = "ghs_wrong"
    failure = refused(world)
    assert "401" in failure.what
    assert "expired" in failure.remedy


@pytest.mark.parametrize("token", ["", "  ", "ghs_two\nlines", "ghs_ünï"])
def test_no_usable_token_means_no_request(world: World, token: str) -> None:
    world.token = token
    assert "github-token" in refused(world).remedy
    assert world.hub.seen == []


def test_a_token_pasted_with_a_newline_is_used(world: World) -> None:
    world.token += "\n"
    world.write("new")
    assert world.texts() == ["new"]


def test_no_such_pull_request(hub: Hub) -> None:
    failure = refused(World(hub=hub, token=hub.create_token(BOT, installation=True)))
    assert "404" in failure.what
    assert "can see pull request 7 of acme/shop" in failure.remedy


def test_a_locked_conversation(world: World) -> None:
    world.hub.lock_pull_request(REPOSITORY, 7)
    assert "Unlock the conversation" in refused(world).remedy


def test_a_body_that_is_too_long(world: World) -> None:
    failure = refused(world, "x" * 66_000)
    assert "422" in failure.what
    assert "Body is too long" in failure.what


def test_nobody_listens(world: World) -> None:
    world.url = "http://127.0.0.1:9"
    with pytest.raises(errors.GitHubFailed, match="did not answer") as caught:
        world.write("new")
    assert "did not answer (ConnectionRefusedError: " in caught.value.what
    assert len(world.time.waits) == REPEATS


def test_a_redirect_to_another_host_is_named(world: World) -> None:
    world.hub.add_fault(
        status=301, headers={"Location": "https://github.example.com/user"}, message="Moved"
    )
    with pytest.raises(errors.GitHubFailed, match="redirected"):
        world.write("new")


def test_a_redirect_within_github_is_followed(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    world.url = world.hub.enterprise_url
    moved = f"{world.hub.url}/repos/{REPOSITORY}/issues/7/comments"
    for method in ("GET", "POST"):
        world.hub.add_fault(method=method, status=301, headers={"Location": moved})
    world.write("new")
    assert world.texts() == ["new"]
    assert world.token not in caplog.text


def test_an_installation_is_not_asked_who_it_is(world: World) -> None:
    """GitHub would answer 403."""
    world.write("new")
    assert not [seen for seen in world.hub.seen if seen.path.endswith("/user")]


def test_none_is_made_where_only_an_old_one_may_change(world: World) -> None:
    comments = Comments(GitHubAccess(api_url=world.hub.url, token=world.token), author=BOT)
    for there, made in (([], False), (["old"], True)):
        for text in there:
            world.write(text)
        body = mark(MARKER, run(2), "new")
        written = comments.upsert_comment(REPOSITORY, 7, MARKER, run(2), body, create=False)
        assert (written is not None) is made
    assert world.texts() == ["new"]
