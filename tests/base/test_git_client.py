"""Which commit is checked out, asked of a real git."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from dbtdeploy.base import git_client


def run(folder: Path, *arguments: str) -> str:
    command = ["git", "-c", "user.name=o", "-c", "user.email=o@example.com", "-C", str(folder)]
    ended = subprocess.run(
        [*command, *arguments], check=True, capture_output=True, text=True, timeout=60
    )
    return ended.stdout.strip()


def test_the_commit_of_the_repository_around_a_project(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q")
    assert git_client.checked_out(tmp_path) is None
    run(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    first = run(tmp_path, "rev-parse", "HEAD")
    run(tmp_path, "commit", "-q", "--allow-empty", "-m", "two")
    (tmp_path / "project").mkdir()
    assert git_client.checked_out(tmp_path / "project") == run(tmp_path, "rev-parse", "HEAD")
    run(tmp_path, "checkout", "-q", "--detach", first)
    assert git_client.checked_out(tmp_path / "project") == first


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_a_checkout_that_belongs_to_another_user(tmp_path: Path) -> None:
    """As in a container that the runner's own user mounted it into."""
    run(tmp_path, "init", "-q")
    run(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    commit = run(tmp_path, "rev-parse", "HEAD")
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 12345, 12345)
    assert git_client.checked_out(tmp_path) == commit


def test_where_there_is_no_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_client.checked_out(tmp_path) is None
    assert git_client.checked_out(tmp_path / "nowhere") is None


def test_where_there_is_no_git(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(tmp_path, "init", "-q")
    run(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_client.checked_out(tmp_path) is None


def test_where_a_tag_points(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q", "-b", "trunk")
    run(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    first = run(tmp_path, "rev-parse", "HEAD")
    run(tmp_path, "tag", "plain")
    run(tmp_path, "tag", "-m", "words", "shop/v1")
    run(tmp_path, "tag", "-m", "words", "nested", "shop/v1")
    run(tmp_path, "tag", "tree", "HEAD^{tree}")
    for name in ("plain", "shop/v1", "nested"):
        assert git_client.tagged(tmp_path, name) == first
    assert git_client.tagged(tmp_path, "tree") is None
    assert git_client.tagged(tmp_path, "nothing") is None


def test_what_is_on_a_branch(tmp_path: Path) -> None:
    run(tmp_path, "init", "-q", "-b", "main")
    run(tmp_path, "commit", "-q", "--allow-empty", "-m", "one")
    first = run(tmp_path, "rev-parse", "HEAD")
    run(tmp_path, "checkout", "-q", "-b", "aside")
    run(tmp_path, "commit", "-q", "--allow-empty", "-m", "two")
    aside = run(tmp_path, "rev-parse", "HEAD")
    assert git_client.branch(tmp_path, None) == ("main", first)
    assert git_client.branch(tmp_path, "aside") == ("aside", aside)
    assert git_client.branch(tmp_path, "nothing") is None
    assert git_client.is_on(tmp_path, first, aside)
    assert not git_client.is_on(tmp_path, aside, first)


def test_the_remotes_branch_comes_before_ours(tmp_path: Path) -> None:
    there, here = tmp_path / "there", tmp_path / "here"
    there.mkdir()
    run(there, "init", "-q", "-b", "trunk")
    for words in ("one", "two"):
        run(there, "commit", "-q", "--allow-empty", "-m", words)
    newest = run(there, "rev-parse", "HEAD")
    run(tmp_path, "clone", "-q", str(there), str(here))
    run(here, "reset", "-q", "--hard", "HEAD~1")
    assert git_client.branch(here, None) == ("trunk", newest)
    assert not git_client.is_shallow(here)
    run(tmp_path, "clone", "-q", "--depth", "1", there.as_uri(), str(tmp_path / "thin"))
    assert git_client.is_shallow(tmp_path / "thin")
