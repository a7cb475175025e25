"""take_lease.py on a commit that is older than what ran: by git, by GitHub, or not known."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from dbtdeploy.artifacts import commit_mark
from dbtdeploy.base import errors
from dbtdeploy.context import hand_over, work_files
from dbtdeploy.context.deploy_files import CommitOrder, HeldLease
from dbtdeploy.store import environment_settings, in_flight
from dbtdeploy.store.lease import lease
from dbtdeploy.store.publication import versions
from standins.github.github import Hub
from standins.jobs import deploys, runs
from standins.jobs.deploys import Ended, Environment, publish_at_once

REPOSITORY = "acme/shop"


class Place(Environment):
    """A store, and a repository whose main branch has three commits, and a branch beside it."""

    def git(self, *arguments: str, folder: str = "origin") -> str:
        named = ["-c", "user.name=o", "-c", "user.email=o@example.com"]
        done = subprocess.run(
            ["git", *named, "-C", str(self.temp / folder), *arguments],
            check=True,
            capture_output=True,
            text=True,
            timeout=60,
        )
        return done.stdout.strip()

    def commit(self, words: str) -> str:
        self.git("commit", "-q", "--allow-empty", "-m", words)
        return self.git("rev-parse", "HEAD")

    def take(
        self,
        commit: str,
        number: int = 1,
        *,
        depth: int = 0,
        hub: Hub | None = None,
        **over: Any,
    ) -> Ended:
        """A run that has the commit checked out; its clone is as deep as asked, or whole."""
        work = self.prepare(number, run=replace(deploys.RUN, **over))
        folder = f"checkout-{number}"
        what = ["--depth", str(depth), f"file://{self.temp}/origin", commit]
        if not depth:
            what = ["../origin", "+refs/heads/*:refs/remotes/origin/*"]
        self.git("init", "-q", folder=folder)
        self.git("fetch", "-q", *what, folder=folder)
        self.git("checkout", "-q", commit, folder=folder)
        token = hub.create_token("bot", installation=True, write=False) if hub else ""
        on_github = {"GITHUB_API_URL": hub.url, "DBT_DEPLOY_GITHUB_TOKEN": token} if hub else {}
        if not hub:
            there = hand_over.read(work, work_files.Run)
            hand_over.write(work, replace(there, event=replace(there.event, repository="")))
        ended = self.script("deploy/take_lease", work, **on_github)
        if ended.code == 0:
            assert self.script("deploy/release_lease", work).code == 0
        return ended


@pytest.fixture
def place(tmp_path: Path) -> Place:
    made = Place(location=str(tmp_path / "store"), temp=tmp_path)
    for folder in ("store", "origin"):
        (tmp_path / folder).mkdir()
    made.git("init", "-q", "-b", "main")
    made.git("config", "uploadpack.allowAnySHA1InWant", "true")
    return made


def refused(place: Place, ended: Ended) -> work_files.Failure:
    assert ended.code == errors.OlderCommit.exit_code, ended.out
    assert ended.failure.not_done == "Nothing was built, nothing was published."
    seen = lease.read(place.open())
    assert seen is None or seen.lease.state == "free"
    return ended.failure


def order_of(ended: Ended) -> CommitOrder:
    assert ended.code == 0, ended.out
    (order,) = hand_over.read(ended.work, HeldLease).orders
    return order


@pytest.mark.fault(56)
def test_an_older_push_is_refused_and_the_newer_commit_named(place: Place) -> None:
    old, new = place.commit("one"), place.commit("two")
    live = publish_at_once(place.open(), 1, commit=new)
    failure = refused(place, place.take(old))
    assert failure.what == (
        f"production runs commit {new[:7]} (version {live.version}), and {old[:7]} is older: "
        f"{new[:7]} contains it."
    )
    assert "newest commit of the branch" in failure.remedy
    assert "`allow-older`" in failure.remedy
    assert place.pointer().version == live.version

    asked = place.take(old, 2, policy=runs.deploy(allow_older=True))
    assert order_of(asked).standing == "older"
    assert "::notice title=A newer commit is live::" in asked.out


@pytest.mark.fault(56)
def test_an_older_tag_is_refused_and_rollback_is_the_remedy(place: Place) -> None:
    old, new = place.commit("one"), place.commit("two")
    environment_settings.change(
        place.open(), lambda there: replace(there, driver=environment_settings.RELEASE)
    )
    publish_at_once(place.open(), 1, commit=new, kind=versions.RELEASED, tag="v1.1.0")
    failure = refused(place, place.take(old, policy=runs.release("v1.0.1")))
    assert "use `rollback`" in failure.remedy
    asked = runs.release("v1.0.1", allow_older=True)
    assert order_of(place.take(old, 2, policy=asked)).standing == "older"
    newer = place.commit("three")
    ended = place.take(newer, 3, policy=runs.release("v1.2.0"))
    assert order_of(ended).standing == "newer"
    assert "::notice" not in ended.out


@pytest.mark.fault(108)
@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("v1.9.0", "v1.10.0"),
        ("v1.10.0", "v1.9.1"),
        ("v1.4.0", "v1.4.0-rc1"),
        ("v1.4.0-rc1", "v1.4.0"),
        ("sales/v1.4.0", "sales/v1.3.9"),
        ("2026.11.30", "2026.2.28"),
    ],
)
def test_order_is_by_commit_whatever_tags_are_called(place: Place, before: str, after: str) -> None:
    old, live, new = (place.commit(words) for words in ("one", "two", "three"))
    environment_settings.change(
        place.open(), lambda there: replace(there, driver=environment_settings.RELEASE)
    )
    publish_at_once(place.open(), 1, commit=live, kind=versions.RELEASED, tag=before)
    refused(place, place.take(old, policy=runs.release(after)))
    asked = place.take(old, 2, policy=runs.release(after, allow_older=True))
    assert order_of(asked).standing == "older"
    assert order_of(place.take(new, 3, policy=runs.release(after))).standing == "newer"


@pytest.mark.fault(56)
def test_the_live_commit_a_newer_one_and_another_branch_are_not_older(place: Place) -> None:
    first = place.commit("one")
    live = place.commit("two")
    publish_at_once(place.open(), 1, commit=live)
    scheduled = replace(deploys.RUN.event, name="schedule")
    ended = place.take(live, 1, event=scheduled)
    assert order_of(ended).standing == "same"
    assert "::notice" not in ended.out
    ended = place.take(place.commit("three"), 2)
    assert order_of(ended).standing == "newer"
    assert "::notice" not in ended.out
    place.git("checkout", "-q", "-b", "staging", first)
    other = place.commit("for staging")
    ended = place.take(other, 3)
    assert order_of(ended).standing == "diverged"
    assert "::notice title=The live commit is not part of this branch::" in ended.out


@pytest.mark.fault(56)
def test_a_first_deploy_is_compared_with_nothing(place: Place) -> None:
    ended = place.take(place.commit("one"))
    assert ended.code == 0, ended.out
    assert hand_over.read(ended.work, HeldLease).orders == ()


@pytest.mark.fault(56)
def test_a_commit_that_nobody_knows_is_told_and_not_refused(place: Place) -> None:
    publish_at_once(place.open(), 1, commit="abcdef0 --all")
    ended = place.take(place.commit("one"))
    assert order_of(ended).standing == "unknown"
    assert "::notice title=It is not known whether this commit is newer::" in ended.out
    publish_at_once(place.open(), 1, commit=None)
    ended = place.take(place.commit("two"), 2)
    assert order_of(ended).standing == "unknown"
    assert "without a commit" in ended.out


@pytest.mark.fault(56)
def test_github_knows_what_a_shallow_checkout_does_not(place: Place, hub: Hub) -> None:
    commits = [place.commit(words) for words in ("one", "two", "three")]
    for number, sha in enumerate(commits):
        parents = commits[number - 1 : number]
        hub.create_commit(REPOSITORY, sha=sha, branch="main", parents=parents)
    old, live, new = commits
    publish_at_once(place.open(), 1, commit=live)
    assert order_of(place.take(new, 1, depth=1, hub=hub)).standing == "newer"
    assert live[:7] in refused(place, place.take(old, 2, depth=1, hub=hub)).what
    apart = hub.create_commit(REPOSITORY, branch="side", parents=[old])
    publish_at_once(place.open(), 1, commit=apart)
    ended = place.take(new, 3, depth=1, hub=hub)
    assert order_of(ended).standing == "diverged"
    assert "::notice title=The live commit is not part of this branch::" in ended.out
    # GitHub has never heard of it.
    publish_at_once(place.open(), 1, commit="f" * 40)
    assert order_of(place.take(new, 4, depth=1, hub=hub)).standing == "unknown"


@pytest.mark.fault(56)
def test_without_an_answer_of_github_the_run_goes_on_and_says_so(place: Place, hub: Hub) -> None:
    old, new = place.commit("one"), place.commit("two")
    publish_at_once(place.open(), 1, commit=new)
    hub.add_fault(method="GET", path="/compare/", status=403, times=99)
    ended = place.take(old, 1, depth=1, hub=hub)
    assert order_of(ended).standing == "unknown"
    assert "::notice title=It is not known whether this commit is newer::" in ended.out


@pytest.mark.fault(56)
def test_what_a_failed_newer_deploy_built_counts_too(place: Place) -> None:
    live, old, new = (place.commit(words) for words in ("one", "two", "three"))
    publish_at_once(place.open(), 1, commit=live)
    work = place.take(new, 1).work
    assert place.script("deploy/take_lease", work).code == 0
    place.fetch(work)
    hand_over.write(work, replace(deploys.BUILD, exit_code=1))
    place.script("deploy/publish_artifacts", work)
    assert place.script("deploy/release_lease", work).code == 0
    failure = refused(place, place.take(old, 2))
    assert f"runs commit {new[:7]} (a deploy that failed, https://" in failure.what


@pytest.mark.fault(56)
def test_plain_artifacts_name_their_commit_too(place: Place) -> None:
    old, new = place.commit("one"), place.commit("two")
    manifest = place.temp / "store" / "manifest.json"
    manifest.write_bytes(deploys.artifacts_of(1)["manifest.json"])
    commit_mark.write(manifest, new)
    refused(place, place.take(old))
    assert place.pointer().version is None
    assert place.take(new, 2).code == 0


@pytest.mark.fault(56)
def test_a_stopped_release_is_settled_before_anything_is_older(place: Place) -> None:
    live, new = place.commit("one"), place.commit("two")
    publish_at_once(place.open(), 1, commit=new)
    record = in_flight.InFlight(
        what="release",
        release_id="20261121t060000",
        tag="v1.1.0",
        phase="staging",
        environment="production",
        project="shop",
        commit=new,
    )
    in_flight.write(place.open(), record)
    ended = place.take(live)
    assert ended.code == 0, ended.out
    found = hand_over.read(ended.work, HeldLease).orders
    assert {order.standing for order in found} == {"older"}
