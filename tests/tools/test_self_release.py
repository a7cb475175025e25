"""self_release.py, with a GitHub and a git server that check what is asked and remember it."""

from __future__ import annotations

import contextlib
import io
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

import release_assets
import self_release
from dbtdeploy.base import actions_runner
from standins.github import git_server
from standins.github.git_server import GitServer
from standins.github.github import Hub

REPOSITORY = "acme/dbt-deploy"
BOT = "github-actions[bot]"
SERVED = Path(REPOSITORY)
REFUSED = 80

GIT = {
    "PATH": os.environ["PATH"],
    "GIT_AUTHOR_NAME": "ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


class World:
    """dbt-deploy's repository: its history, here and on the server, and its releases."""

    def __init__(
        self, hub: Hub, server: GitServer, token: str, folder: Path, patch: pytest.MonkeyPatch
    ) -> None:
        self.hub, self.server, self.token, self.patch = hub, server, token, patch
        self.clone, self.bare = folder / "clone", server.folder / SERVED
        self.git("init", "--quiet", "--initial-branch=main", str(self.clone), where=folder)
        self.git("init", "--quiet", "--bare", str(self.bare), where=folder)
        hub.create_repository(REPOSITORY)
        patch.chdir(self.clone)
        patch.setenv("GITHUB_ACTIONS", "true")
        patch.setenv("GITHUB_API_URL", hub.url)
        patch.setenv("GITHUB_SERVER_URL", server.url)
        patch.setenv("DBT_DEPLOY_GITHUB_TOKEN", token)

    def git(self, *arguments: str, where: Path | None = None) -> str:
        done = subprocess.run(
            ["git", *arguments],
            cwd=where or self.clone,
            env=GIT,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def commit(self, changelog: str, *, branch: str = "main") -> str:
        """A commit with that changelog, on the branch, pushed; its SHA."""
        (self.clone / "CHANGELOG.md").write_text(changelog)
        self.git("add", ".")
        self.git("commit", "--quiet", "--allow-empty", "--message", "A change")
        made = self.git("rev-parse", "HEAD")
        self.git("push", "--quiet", "--force", str(self.bare), f"HEAD:refs/heads/{branch}")
        self.hub.create_commit(REPOSITORY, branch=branch, sha=made)
        return made

    def tagged(self, tag: str, *, annotated: bool = False, branch: str = "main") -> str:
        """A new commit with the changelog of a version, tagged, and checked out; its SHA."""
        text = (
            f"# Changelog\n\n## Unreleased\n\nSoon.\n\n## [{tag[1:]}] - 2026-12-01\n\nNew {tag}.\n"
        )
        made = self.commit(text, branch=branch)
        self.hub.set_tag(REPOSITORY, tag, made, annotated=annotated)
        return made

    def run(self, step: str, tag: str, *more: str) -> tuple[int, str]:
        """A step, as its process would do it: exit code and what it printed."""
        self.patch.setattr(sys, "argv", ["self_release.py", step, REPOSITORY, tag, *more])
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            code = self_release.main()
        assert self.token not in printed.getvalue()
        return code, printed.getvalue()

    def ok(self, step: str, tag: str, *more: str) -> str:
        code, printed = self.run(step, tag, *more)
        assert code == 0, printed
        return printed

    def refused(self, step: str, tag: str, *more: str) -> str:
        code, printed = self.run(step, tag, *more)
        assert code == REFUSED, printed
        assert printed.startswith("::error title=The release of dbt-deploy did not finish::")
        return printed

    def assets(self, tag: str) -> str:
        """What the job before made: a folder."""
        folder = self.clone.parent / f"assets-{tag}"
        release_assets.main(REPOSITORY, tag, folder)
        return str(folder)

    def release(self, tag: str) -> None:
        """All steps of the workflow."""
        self.ok("check", tag)
        self.ok("publish", tag, self.assets(tag))
        self.ok("move-tag", tag)

    def moving(self, name: str = "v1") -> str:
        """What the moving tag is, on the server."""
        return self.git("rev-parse", "--verify", f"refs/tags/{name}", where=self.bare)

    def has(self, name: str) -> bool:
        return name in self.git("tag", "--list", where=self.bare).splitlines()

    def writes(self) -> list[str]:
        return [seen.method for seen in self.hub.seen if seen.method != "GET"]

    def refuse_pushes(self, said: str) -> Path:
        hook = self.bare / "hooks" / "pre-receive"
        hook.write_text(f"#!/bin/sh\necho '{said}' >&2\nexit 1\n")
        hook.chmod(0o755)
        return hook


@pytest.fixture
def world(hub: Hub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    token = hub.create_token(BOT, installation=True)
    with git_server.serve(tmp_path / "served", token) as server:
        yield World(hub, server, token, tmp_path, monkeypatch)
    actions_runner.talk_to_runner(True)


# The assets ---------------------------------------------------------------------------------------


def test_the_archive_is_the_same_each_time_and_another_for_another_commit() -> None:
    one, again, other = (release_assets.made(REPOSITORY, "v1.4.0", sha * 40) for sha in "aab")
    assert one == again
    assert one.keys() == other.keys() == {"dbt-deploy-workflows-v1.4.0.tar"}
    assert one != other


def test_the_archive_holds_workflows_and_callers_with_the_full_tag() -> None:
    (content,) = release_assets.made(REPOSITORY, "v1.4.0", "a" * 40).values()
    with tarfile.open(fileobj=io.BytesIO(content)) as archive:
        files = {one.name: archive.extractfile(one) for one in archive.getmembers()}
        texts = {name: file.read().decode() for name, file in files.items() if file}
    assert texts["dbt-deploy-v1.4.0/VERSION"] == f"{REPOSITORY} v1.4.0 {'a' * 40}\n"
    workflow = texts["dbt-deploy-v1.4.0/workflows/deploy.yml"]
    assert f"uses: {REPOSITORY}/deploy@v1.4.0\n" in workflow
    caller = texts["dbt-deploy-v1.4.0/callers/deploy.yml"]
    assert f"uses: {REPOSITORY}/.github/workflows/deploy.yml@v1.4.0\n" in caller
    assert not [name for name in texts if "self-" in name]


# Checking the tag ---------------------------------------------------------------------------------


@pytest.mark.parametrize("annotated", [False, True])
def test_a_tag_on_the_default_branch_with_its_changelog_can_be_released(
    world: World, annotated: bool
) -> None:
    world.tagged("v1.4.0", annotated=annotated)
    assert "can be released" in world.ok("check", "v1.4.0")
    assert world.writes() == []


def test_a_tag_that_is_not_on_the_default_branch(world: World) -> None:
    world.commit("# Changelog\n")
    world.tagged("v1.4.0", branch="other")
    assert "is not on the branch main" in world.refused("check", "v1.4.0")


def test_a_tag_that_was_moved_since(world: World) -> None:
    world.tagged("v1.4.0")
    world.hub.set_tag(REPOSITORY, "v1.4.0", world.hub.create_commit(REPOSITORY, branch="main"))
    assert "Was the tag moved?" in world.refused("check", "v1.4.0")


@pytest.mark.parametrize("tag", ["v1.4", "v1.4.0.1", "version-1.4.0", "v1.4.0-"])
def test_a_tag_that_is_no_version(world: World, tag: str) -> None:
    world.tagged("v1.4.0")
    assert "is not the tag of a version" in world.refused("check", tag)


def test_a_changelog_whose_newest_version_is_another(world: World) -> None:
    world.commit("## Unreleased\n\n## 1.4.0\n\nOld.\n\n## 1.3.0\n")
    world.hub.set_tag(REPOSITORY, "v1.5.0", world.git("rev-parse", "HEAD"))
    said = world.refused("check", "v1.5.0")
    assert "The newest version in CHANGELOG.md is 1.4.0, and the tag is v1.5.0." in said


def test_a_release_that_somebody_else_published(world: World) -> None:
    world.tagged("v1.4.0")
    world.hub.create_release(REPOSITORY, "v1.4.0", "By hand.")
    for step in ("check", "publish", "move-tag"):
        assert "is published already, with other assets" in world.refused(step, "v1.4.0")
    assert world.writes() == []
    assert not world.has("v1")


# Published, then v1 -------------------------------------------------------------------------------


def test_drafted_attached_published_and_v1_moved(world: World) -> None:
    world.hub.make_releases_immutable(REPOSITORY)
    commit = world.tagged("v1.4.0")
    world.release("v1.4.0")
    (release,) = world.hub.releases(REPOSITORY)
    assert world.writes() == ["POST", "POST", "PATCH"], "a draft, its asset, its publication"
    assert release["immutable"]
    assert not release["prerelease"]
    assert "New v1.4.0." in release["body"]
    assert "Soon." not in release["body"]
    (asset,) = release["assets"]
    assert asset["name"] == "dbt-deploy-workflows-v1.4.0.tar"
    assert asset["content_type"] == "application/x-tar"
    assert world.hub.latest_release(REPOSITORY) == "v1.4.0"
    assert world.moving() == commit, "a plain tag"


def test_again_changes_nothing(world: World) -> None:
    commit = world.tagged("v1.4.0")
    world.release("v1.4.0")
    before = world.writes()
    folder = world.clone.parent / "assets-v1.4.0"
    world.ok("check", "v1.4.0")
    assert "published already" in world.ok("publish", "v1.4.0", str(folder))
    assert "already" in world.ok("move-tag", "v1.4.0")
    assert world.writes() == before
    assert world.moving() == commit


def test_an_upload_that_broke_off_is_made_again_in_the_same_draft(world: World) -> None:
    world.tagged("v1.4.0")
    folder = world.assets("v1.4.0")
    world.hub.add_fault(
        method="POST", path="/assets", status=403, message="Resource not accessible"
    )
    code, printed = world.run("publish", "v1.4.0", folder)
    assert code not in (0, REFUSED)
    assert "::error" in printed
    (draft,) = world.hub.releases(REPOSITORY)
    assert draft["draft"]
    assert "not published yet" in world.refused("move-tag", "v1.4.0")
    world.hub.interrupt_uploads(1)
    world.ok("publish", "v1.4.0", folder)
    (release,) = world.hub.releases(REPOSITORY)
    assert not release["draft"]
    assert [asset["state"] for asset in release["assets"]] == ["uploaded"]


def test_assets_of_another_commit_are_not_attached(world: World) -> None:
    world.tagged("v1.3.0")
    folder = world.assets("v1.3.0")
    world.tagged("v1.4.0")
    assert "does not hold the assets of v1.4.0" in world.refused("publish", "v1.4.0", folder)
    assert world.writes() == []


def test_v1_goes_from_release_to_release(world: World) -> None:
    world.tagged("v1.4.0")
    world.release("v1.4.0")
    # Somebody made it an annotated tag by hand.
    world.git("tag", "--annotate", "--message", "v1", "v1")
    world.git("push", "--quiet", "--force", str(world.bare), "refs/tags/v1")
    newer = world.tagged("v1.4.1")
    world.release("v1.4.1")
    assert world.moving() == newer


def test_a_pre_release_is_never_the_latest_and_moves_nothing(world: World) -> None:
    commit = world.tagged("v1.4.0")
    world.release("v1.4.0")
    candidate = world.commit("## Unreleased\n\nSoon.\n\n## 1.4.0\n\nOld.\n")
    world.hub.set_tag(REPOSITORY, "v1.5.0-rc.1", candidate)
    world.release("v1.5.0-rc.1")
    release = world.hub.releases(REPOSITORY)[1]
    assert release["prerelease"]
    assert "Soon." in release["body"]
    assert world.hub.latest_release(REPOSITORY) == "v1.4.0"
    assert world.moving() == commit


def test_an_older_patch_is_released_and_v1_stays(world: World) -> None:
    commit = world.tagged("v1.4.0")
    world.release("v1.4.0")
    world.tagged("v1.3.9")
    world.release("v1.3.9")
    assert len(world.hub.releases(REPOSITORY)) == 2
    assert world.hub.latest_release(REPOSITORY) == "v1.4.0"
    assert world.moving() == commit


def test_another_major_version_has_a_tag_of_its_own(world: World) -> None:
    first = world.tagged("v1.4.0")
    world.release("v1.4.0")
    second = world.tagged("v2.0.0")
    world.release("v2.0.0")
    assert (world.moving("v1"), world.moving("v2")) == (first, second)


def test_v1_is_not_moved_off_its_line(world: World) -> None:
    world.tagged("v1.4.0")
    world.ok("publish", "v1.4.0", world.assets("v1.4.0"))
    world.git("checkout", "--quiet", "--orphan", "else")
    world.commit("Something else.", branch="else")
    world.git("push", "--quiet", str(world.bare), "HEAD:refs/tags/v1")
    before = world.moving()
    world.git("checkout", "--quiet", "main")
    said = world.refused("move-tag", "v1.4.0")
    assert "that would not be a move forwards" in said
    assert world.moving() == before


def test_v1_that_another_run_moved_meanwhile_is_not_moved_back(world: World) -> None:
    world.tagged("v1.4.0")
    world.release("v1.4.0")
    world.tagged("v1.4.1")
    world.ok("publish", "v1.4.1", world.assets("v1.4.1"))
    newest = world.commit("Newer.")
    world.git("checkout", "--quiet", "--detach", "HEAD~1")
    world.server.before_push = lambda: world.git(
        "update-ref", "refs/tags/v1", newest, where=world.bare
    )
    assert "could not be moved" in world.refused("move-tag", "v1.4.1")
    assert world.moving() == newest


def test_what_github_refuses_a_maintainer_can_do_and_the_next_run_goes_on(world: World) -> None:
    commit = world.tagged("v1.4.0")
    world.ok("publish", "v1.4.0", world.assets("v1.4.0"))
    reason = "refusing to allow a GitHub App to create or update workflow"
    hook = world.refuse_pushes(reason)
    said = world.refused("move-tag", "v1.4.0")
    assert reason in said
    assert "The release is published; v1 was not moved." in said
    assert f"`git push --force origin {commit}:refs/tags/v1`" in said
    hook.unlink()
    world.git("push", "--quiet", "--force", str(world.bare), f"{commit}:refs/tags/v1")
    assert "already" in world.ok("move-tag", "v1.4.0")
