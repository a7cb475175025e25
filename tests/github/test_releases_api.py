"""Releases and deployments on a GitHub that checks every request and answer and forgets nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import deployments_api
from dbtdeploy.github.pygithub_client import REPEATS
from dbtdeploy.github.release_body import GitHubRelease, Notes, Section
from dbtdeploy.github.releases_api import Releases
from standins.github.github import Hub

REPOSITORY = "acme/shop"
BOT = "github-actions[bot]"
SHOP = Section(environment="production", project="shop")
PLAN = {"release_plan.json": b'{"tag": "v1"}'}
SHA = "a" * 40


@dataclass
class World:
    """One repository, and a clock that only moves when somebody sleeps."""

    hub: Hub
    token: str
    url: str = ""
    now: float = field(default_factory=time.time)
    waits: list[float] = field(default_factory=list)

    @property
    def access(self) -> GitHubAccess:
        return GitHubAccess(api_url=self.url or self.hub.url, token=self.token)

    @property
    def releases(self) -> Releases:
        return Releases(self.access, REPOSITORY, sleep=self.sleep, clock=lambda: self.now)

    def draft(self, text: str | None = "notes", tag: str = "v1", **more: Any) -> GitHubRelease:
        return self.releases.draft(notes(text, tag, **more))

    def publish(self, text: str | None = "notes", tag: str = "v1", **more: Any) -> GitHubRelease:
        return self.releases.publish(notes(text, tag, **more))

    def mark(self, *commits: str) -> int:
        return deployments_api.mark_inactive(
            self.access,
            REPOSITORY,
            environment="production",
            commits=commits,
            said="Rolled back to v1",
            run_url="https://github.com/acme/shop/actions/runs/1",
            sleep=self.sleep,
            clock=lambda: self.now,
        )

    def only(self) -> dict[str, Any]:
        (found,) = self.hub.releases(REPOSITORY)
        return found

    def sent(self, *methods: str) -> int:
        return sum(seen.method in methods for seen in self.hub.seen)

    def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds


@pytest.fixture
def world(hub: Hub) -> World:
    hub.create_repository(REPOSITORY)
    return World(hub=hub, token=hub.create_token(BOT, installation=True))


def notes(
    text: str | None,
    tag: str,
    section: Section = SHOP,
    assets: Mapping[str, bytes] = PLAN,
    candidate: bool = False,
    *,
    newest: bool = True,
) -> Notes:
    return Notes(
        tag=tag,
        section=section,
        text=text,
        short="short",
        assets=assets,
        candidate=candidate,
        newest=newest,
    )


# Drafted first, published last --------------------------------------------------------------------


def test_drafted_attached_and_published(world: World) -> None:
    drafted = world.draft("first words")
    assert drafted.state == "draft"
    there = world.only()
    assert there["draft"]
    assert [asset["name"] for asset in there["assets"]] == ["release_plan.json"]
    assert world.hub.latest_release(REPOSITORY) is None
    published = world.publish("last words")
    assert published.url == "https://github.com/acme/shop/releases/tag/v1"
    assert published.state == "published"
    there = world.only()
    assert not there["draft"]
    assert there["body"] == SHOP.put("", "last words")
    assert there["name"] == "v1"
    assert there["author"]["login"] == BOT
    assert world.hub.latest_release(REPOSITORY) == "v1"
    assert world.hub.asset(REPOSITORY, "v1", "release_plan.json") == '{"tag": "v1"}'


@pytest.mark.fault(47)
def test_again_changes_nothing(world: World) -> None:
    for step in (world.draft, world.draft, world.publish, world.publish, world.draft):
        step()
    written = world.sent("POST", "PATCH", "DELETE")
    assert written == 3, "a draft, an asset, a publication"
    assert world.publish().state == "published"
    assert world.sent("POST", "PATCH", "DELETE") == written


def test_one_that_is_not_the_newest_leaves_the_latest_to_github(world: World) -> None:
    world.publish(tag="v2")
    world.publish(tag="v1", newest=False)
    assert world.hub.latest_release(REPOSITORY) == "v2"


@pytest.mark.parametrize(
    ("name", "kind"),
    [("plan.json", "application/json"), ("all.tar", "application/x-tar"), ("x", None)],
)
def test_an_asset_says_what_it_is(world: World, name: str, kind: str | None) -> None:
    world.publish(assets={name: b"1"})
    (asset,) = world.only()["assets"]
    assert asset["content_type"] == (kind or "application/octet-stream")


def test_published_without_a_draft(world: World) -> None:
    world.publish()
    methods = [seen.method for seen in world.hub.seen if seen.method != "GET"]
    assert methods == ["POST", "POST", "PATCH"], "a release may be immutable from then on"
    assert not world.only()["draft"]


def test_an_immutable_release_has_its_assets_before(world: World) -> None:
    world.hub.make_releases_immutable(REPOSITORY)
    world.publish()
    assert world.only()["immutable"]
    assert len(world.only()["assets"]) == 1
    world.publish("other words", assets={"release_plan.json": b"{}"})
    assert "other words" in world.only()["body"]
    assert world.hub.asset(REPOSITORY, "v1", "release_plan.json") == '{"tag": "v1"}'


def test_a_new_plan_takes_the_old_ones_place(world: World) -> None:
    world.draft()
    world.draft(assets={"release_plan.json": b"new", "manifest.json": b"{}"})
    assert world.hub.asset(REPOSITORY, "v1", "release_plan.json") == "new"
    assert len(world.only()["assets"]) == 2


def test_the_draft_of_a_killed_run_keeps_its_words(world: World) -> None:
    world.draft("what the plan said")
    world.publish(None, assets={})
    assert "what the plan said" in world.only()["body"]
    assert len(world.only()["assets"]) == 1


def test_a_killed_runs_draft_is_not_the_latest_before_what_is_live(world: World) -> None:
    world.draft(tag="v1")
    world.publish(tag="v2")
    world.publish(None, tag="v1", assets={})
    assert not any(release["draft"] for release in world.hub.releases(REPOSITORY))
    assert world.hub.latest_release(REPOSITORY) == "v2"


def test_without_draft_and_words_the_short_ones_do(world: World) -> None:
    world.publish(None, assets={})
    assert world.only()["body"] == SHOP.put("", "short")


def test_a_pre_release_is_never_the_latest(world: World) -> None:
    world.publish(tag="v1")
    world.publish(tag="v2.0.0-rc.1", candidate=True)
    assert world.hub.releases(REPOSITORY)[1]["prerelease"]
    assert world.hub.latest_release(REPOSITORY) == "v1"
    assert not world.releases.make_latest("v2.0.0-rc.1")


@pytest.mark.parametrize("position", [0, 99, 100, 249])
def test_a_draft_is_found_on_any_page(world: World, position: int) -> None:
    for number in range(250):
        if number == position:
            world.draft()
        else:
            world.hub.create_release(REPOSITORY, f"v0.{number}")
    before = world.sent("POST")
    world.publish()
    assert world.sent("POST") == before


def test_enterprise_is_asked_under_its_own_path(world: World) -> None:
    world.url = world.hub.enterprise_url
    assert world.publish().state == "published"
    assert all(seen.path.startswith("/api/v3/") for seen in world.hub.seen)


# What others wrote --------------------------------------------------------------------------------


@pytest.mark.fault(47)
def test_a_release_that_others_published_is_added_to(world: World) -> None:
    world.hub.create_release(REPOSITORY, "v1", "## By hand", author="ann")
    assert world.draft().state == "nothing"
    assert world.only()["body"] == "## By hand"
    assert world.publish().state == "appended"
    assert world.only()["body"] == SHOP.put("## By hand", "notes")
    assert world.only()["author"]["login"] == "ann"
    assert world.only()["assets"] == []
    patched = world.sent("PATCH")
    world.publish()
    assert world.sent("PATCH") == patched


def test_a_draft_of_others_is_left_alone(world: World) -> None:
    world.hub.create_release(REPOSITORY, "v1", "mine", draft=True)
    world.hub.create_release(REPOSITORY, "v0", SHOP.put("", "of another tag"), draft=True)
    world.publish()
    bodies = [release["body"] for release in world.hub.releases(REPOSITORY)]
    assert bodies == ["mine", SHOP.put("", "of another tag"), SHOP.put("", "notes")]
    assert not world.releases.remove_draft("v1", SHOP)


def test_each_environment_has_its_part(world: World) -> None:
    staging = Section(environment="staging", project="shop")
    world.publish("staged", section=staging)
    world.publish("live")
    body = world.only()["body"]
    assert body == SHOP.put(staging.put("", "staged"), "live")
    assert world.releases.remove_draft("v1", staging) is False


def test_a_draft_that_is_not_needed_goes(world: World) -> None:
    world.draft()
    world.hub.create_release(REPOSITORY, "v1", "by hand")
    world.publish()
    assert world.only()["body"] == SHOP.put("by hand", "notes")


# A failed release, and a rollback -----------------------------------------------------------------


def test_the_draft_of_a_failed_release_is_removed(world: World) -> None:
    world.draft()
    assert world.releases.remove_draft("v1", SHOP)
    assert world.hub.releases(REPOSITORY) == []
    assert not world.releases.remove_draft("v1", SHOP)


def test_what_was_published_is_never_removed(world: World) -> None:
    world.publish()
    assert not world.releases.remove_draft("v1", SHOP)
    assert world.only()


def test_a_line_on_top_and_the_one_before_is_the_latest(world: World) -> None:
    world.publish(tag="v1")
    world.publish(tag="v2")
    world.releases.crown("v2", SHOP, "rolled back")
    assert world.releases.make_latest("v1")
    _, taken = world.hub.releases(REPOSITORY)
    assert taken["body"] == SHOP.crown(SHOP.put("", "notes"), "rolled back")
    assert world.hub.latest_release(REPOSITORY) == "v1"
    patched = world.sent("PATCH")
    world.releases.crown("v2", SHOP, "rolled back")
    assert world.sent("PATCH") == patched


def test_released_again_the_line_goes(world: World) -> None:
    world.publish()
    world.releases.crown("v1", SHOP, "rolled back")
    assert world.hub.latest_release(REPOSITORY) is None
    world.publish()
    assert world.only()["body"] == SHOP.put("", "notes")
    assert world.hub.latest_release(REPOSITORY) == "v1"


def test_a_rollback_of_what_was_never_published_on_github(world: World) -> None:
    world.draft()
    assert world.releases.crown("v1", SHOP, "rolled back").state == "nothing"
    assert world.hub.releases(REPOSITORY) == []
    assert not world.releases.make_latest("v1")


def test_deployments_of_the_commit_become_inactive(world: World) -> None:
    ours = [world.hub.create_deployment(REPOSITORY, SHA, "production") for _ in range(2)]
    staging = world.hub.create_deployment(REPOSITORY, SHA, "staging")
    other = world.hub.create_deployment(REPOSITORY, "b" * 40, "production")
    assert world.mark(SHA, "c" * 40) == 2
    assert world.mark(SHA) == 2
    states = [world.hub.deployment_states(one) for one in (*ours, staging, other)]
    assert states == [["inactive", "success"], ["inactive", "success"], ["success"], ["success"]]


def test_deployments_need_a_permission(world: World) -> None:
    world.hub.create_deployment(REPOSITORY, SHA, "production")
    world.token = world.hub.create_token(BOT, installation=True, refused=["/deployments"])
    with pytest.raises(errors.GitHubFailed) as caught:
        world.mark(SHA)
    assert caught.value.remedy == "Give the job `permissions: deployments: write`."


# Faults on the way --------------------------------------------------------------------------------


@pytest.mark.fault(47)
@pytest.mark.parametrize("status", [500, 502, 504, None])
@pytest.mark.parametrize("performed", [True, False])
@pytest.mark.parametrize("path", ["/releases?", "/assets?"])
def test_a_post_without_an_answer_makes_one(
    world: World, path: str, performed: bool, status: int | None
) -> None:
    world.hub.add_fault(method="POST", path=path, status=status, performed=performed)
    world.publish()
    assert len(world.only()["assets"]) == 1
    assert world.hub.asset(REPOSITORY, "v1", "release_plan.json") == '{"tag": "v1"}'
    assert world.sent("POST") == (2 if performed else 3)
    assert world.waits == [1.0]


@pytest.mark.fault(47)
def test_a_broken_upload_is_done_anew(world: World) -> None:
    world.hub.interrupt_uploads(2)
    world.publish()
    (asset,) = world.only()["assets"]
    assert asset["state"] == "uploaded"
    assert world.waits == [1.0, 2.0]


@pytest.mark.fault(47)
def test_a_publication_without_an_answer_is_found(world: World) -> None:
    world.draft()
    world.hub.add_fault(method="PATCH", status=502, performed=True)
    assert world.publish().state == "published"
    assert not world.only()["draft"]


def test_duplicates_of_a_race_go(world: World) -> None:
    for text in ("one", "two", "three"):
        world.hub.create_release(REPOSITORY, "v1", SHOP.put("", text), draft=True)
    world.publish()
    assert world.only()["body"] == SHOP.put("", "notes")


def test_a_status_without_an_answer_is_one(world: World) -> None:
    made = world.hub.create_deployment(REPOSITORY, SHA, "production")
    world.hub.add_fault(method="POST", status=502, performed=True)
    assert world.mark(SHA) == 1
    assert world.hub.deployment_states(made) == ["inactive", "success"]


@pytest.mark.fault(48)
@pytest.mark.parametrize(
    ("fault", "waits"),
    [
        ({"status": 429, "headers": {"Retry-After": "7"}}, [7.0]),
        ({"status": 403, "message": "You have exceeded a secondary rate limit."}, [60.0]),
        ({"status": 503, "times": 3}, [1.0, 2.0, 4.0]),
        ({"status": None}, [1.0]),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST", "PATCH"])
def test_waits_as_told_and_goes_on(
    world: World, method: str, fault: dict[str, object], waits: list[float]
) -> None:
    world.hub.add_fault(method=method, **fault)
    world.publish()
    assert world.waits == waits
    assert len(world.only()["assets"]) == 1


@pytest.mark.fault(48)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_waiting_is_bounded(world: World, method: str) -> None:
    world.hub.add_fault(method=method, status=503, times=1000)
    with pytest.raises(errors.GitHubFailed, match="503 for the release v1 of acme/shop") as caught:
        world.publish()
    assert len(world.waits) == REPEATS
    assert "what is live stays as it is" in caught.value.not_done


REFUSED: dict[str, Callable[[World], object]] = {
    "draft": lambda world: world.draft(),
    "publish": lambda world: world.publish(),
}


@pytest.mark.parametrize("step", REFUSED)
def test_a_read_only_token(world: World, step: str) -> None:
    world.token = world.hub.create_token(BOT, installation=True, write=False)
    with pytest.raises(errors.GitHubFailed) as caught:
        REFUSED[step](world)
    assert caught.value.remedy == "Give the job `permissions: contents: write`."
    assert world.waits == []
