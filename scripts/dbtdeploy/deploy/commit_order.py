"""Whether what a run brings is newer than what ran in the environment, by git or by GitHub."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from dbtdeploy.base import actions_runner, errors, git_client, settings
from dbtdeploy.context.deploy_files import CommitOrder
from dbtdeploy.context.policies import BuildsProduction, Release
from dbtdeploy.deploy import take_over_plain
from dbtdeploy.deploy.admission import NOT_DONE, SHORT
from dbtdeploy.store import failed_nodes
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import version_reader

SHA = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""Only such a word is asked for: a manifest may hold anything where its commit should be."""


def ran(store: Store, *, failed_too: bool) -> Iterator[tuple[str, str]]:
    """What ran in the environment last, and where that is written.

    Args:
        store: the environment's.
        failed_too: whether the newest deploy counts that failed since and had built something, for
            what it built is live.
    """
    pointer, _ = version_reader.read_current(store)
    if pointer is None or pointer.version is None:
        plain = take_over_plain.read(store)
        if plain is not None:
            yield plain.manifest.commit or "", store.location
        return
    try:
        current = version_reader.read_index(store, pointer)
    except (errors.StateCorrupt, errors.StateVersionMissing):
        # Who needs that version refuses it, and a build of everything replaces it.
        yield "", f"version {pointer.version}"
        return
    yield current.commit or "", f"version {current.version}"
    for index in failed_nodes.failed_runs(store, current) if failed_too else ():
        if index.commit and index.results:
            yield index.commit, f"a deploy that failed, {index.run_url or index.version}"
            return


def orders(
    commit: str, others: Iterable[tuple[str, str]], *, folder: Path, repository: str
) -> tuple[CommitOrder, ...]:
    """How the commit that a run brings stands to each of these.

    Args:
        commit: what is checked out; empty if that is not known.
        others: commits that ran, and where that is written.
        folder: in the checkout.
        repository: GitHub's full name of it; empty outside Actions.
    """
    return tuple(
        CommitOrder(
            commit=other,
            where=where,
            standing=relation(commit, other, folder=folder, repository=repository),
        )
        for other, where in others
    )


def relation(commit: str, other: str, *, folder: Path, repository: str) -> git_client.Relation:
    """How one commit stands to another one, by git, or by GitHub where the clone is shallow.

    Args:
        commit: a SHA; anything else is not known.
        other: likewise.
        folder: in the checkout.
        repository: GitHub's full name of it; empty outside Actions.
    """
    if commit and commit == other:
        return "same"
    if not (SHA.fullmatch(commit) and SHA.fullmatch(other)):
        return "unknown"
    known = git_client.order(folder, commit, other)
    access = settings.GitHubAccess.from_environ()
    if known != "unknown" or not settings.on_github(repository, access):
        return known
    from dbtdeploy.github import commits_api  # noqa: PLC0415  PyGithub takes 0.6 s to import

    try:
        return commits_api.order(access, repository, commit, other, sleep=time.sleep)
    except errors.GitHubFailed as failure:
        actions_runner.say(settings.redactor()(str(failure)))
        return "unknown"


def refuse_older(found: Iterable[CommitOrder], *, commit: str, policy: BuildsProduction) -> None:
    """Refuse what is older than what ran, and say where the order is not known.

    Args:
        found: how the commit stands to each that ran.
        commit: what the run brings.
        policy: of the run.

    Raises:
        OlderCommit: names the newer one.
    """
    for order in found:
        title, said = told(order, commit=commit, environment=policy.environment)
        if order.standing == "older" and not policy.allow_older:
            remedy = "Run the newest commit of the branch"
            if isinstance(policy, Release):
                remedy = "To go back to an earlier release, use `rollback`"
            raise errors.OlderCommit(
                said,
                not_done=NOT_DONE,
                remedy=f"{remedy}. To bring the older one on purpose, set `allow-older`.",
            )
        if said:
            actions_runner.annotate("notice", title, said)


def told(order: CommitOrder, *, commit: str, environment: str) -> tuple[str, str]:
    """A title and a sentence for what people should know of the order; empty where it is as usual.

    Args:
        order: how the commit stands to one that ran.
        commit: what the run brings.
        environment: GitHub's name of it.
    """
    this, live = commit[:SHORT], order.commit[:SHORT]
    if order.standing == "older":
        return (
            errors.OlderCommit.title,
            f"{environment} runs commit {live} ({order.where}), and {this} is older: {live} "
            "contains it.",
        )
    if order.standing == "diverged":
        return (
            "The live commit is not part of this branch",
            f"{environment} runs commit {live} ({order.where}), which {this} does not contain. "
            "Neither is newer than the other.",
        )
    if order.standing == "unknown":
        known = f"commit {live} ({order.where})" if live else f"{order.where}, without a commit"
        return (
            "It is not known whether this commit is newer",
            f"{environment} runs {known}; git and GitHub do not say whether "
            f"{this or 'what is checked out'} is newer.",
        )
    return "", ""
