"""A version tag is pushed: in the repository, and on the stand-in for GitHub with its history."""

from __future__ import annotations

from pathlib import Path

from demo import repository
from demo.repository import Checkout
from demo.world import World

ENVIRONMENT = "production"


def push_tag(world: World, name: str, branch: str, folder: Path) -> Checkout:
    """Tag a branch's newest commit and push the tag.

    Args:
        world: with the repository and GitHub.
        name: of the tag.
        branch: is the main branch for whoever asks GitHub.
        folder: where the checkout of the tag goes.

    Returns:
        What the release's checkout leaves.
    """
    world.repository.git("tag", name, branch)
    push_history(world, branch)
    commit = world.repository.sha(f"refs/tags/{name}^{{commit}}")
    world.github.set_tag(repository.NAME, name, commit)
    return world.repository.check_out_only(f"refs/tags/{name}", folder)


def push_history(world: World, branch: str) -> None:
    """Let GitHub know a branch's commits, and where it is."""
    log = world.repository.git("log", "--reverse", "--topo-order", "--format=%H %P", branch)
    for line in log.splitlines():
        commit, *parents = line.split()
        world.github.create_commit(
            repository.NAME, sha=commit, parents=parents, date="2026-06-15T07:00:00Z"
        )
    world.github.set_branch(repository.NAME, branch, world.repository.sha(branch))


def merge(world: World, number: int, branch: str, *labels: str) -> str:
    """Merge a pull request's branch into ``main``; gives the merge commit's name."""
    commit = world.repository.merge(branch)
    push_history(world, "main")
    world.github.merge_pull_request(repository.NAME, number, commit, labels=list(labels))
    return commit


def deployed(world: World, checkout: Checkout) -> int:
    """What GitHub makes of a job with an environment: a deployment; gives its number."""
    return world.github.create_deployment(repository.NAME, checkout.head_sha, ENVIRONMENT)
