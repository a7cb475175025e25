"""GitHub's REST API, through PyGithub: where a tag is, and what was merged before it.

Sources: https://docs.github.com/rest/git/refs, .../rest/commits/commits#compare-two-commits and
.../rest/pulls/pulls#list-pull-requests.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TypeVar

from github.Repository import Repository

from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import version_tag
from dbtdeploy.github.pygithub_client import FAULTS, Api
from dbtdeploy.github.version_tag import Found, Merged

WAIT_SECONDS = 300.0
"""All waits of one step together."""

NO_BREAKING = "Breaking changes count as not allowed; the release goes on without them."

MOST_TAGS = 10
"""A tag may point to a tag; so many are followed."""

MOST_COMMITS, MOST_PULLS = 5_000, 2_000
"""What is read of one release: 20 requests each at the most. A release of more than that says that
it may break something by the input."""

SLACK = timedelta(days=1)
"""A commit's date is its author's clock, a pull request's is GitHub's."""

T = TypeVar("T")


class Tags:
    """Asks one repository about tags.

    Args:
        access: where GitHub is, and the token.
        repository: full name.
        sleep: waits so many seconds.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        access: GitHubAccess,
        repository: str,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._access = access
        self._repository = repository
        self._sleep = sleep
        self._clock = clock

    def look(self, name: str, main_branch: str | None) -> Found:
        """Where a tag is, and whether its commit is on the main branch.

        Args:
            name: of the tag.
            main_branch: the repository's default one if None.

        Raises:
            GitHubFailed: GitHub refused, or gave no answer within the bounds above.
        """
        api = self._api(version_tag.NOTHING_DONE, "contents: read")

        def asked(repository: Repository) -> Found:
            kind, commit = _peeled(api, repository, name)
            where = self._repository
            if commit is None or kind != "commit":
                hint = " The token may also not see the repository; it needs `contents: read`."
                return Found(where=where, commit=commit, kind=kind, hint=hint)
            branch = main_branch or api.ask(lambda: repository.default_branch)
            status = _compared(api, repository, branch, commit)
            return Found(
                where=where,
                commit=commit,
                main_branch=branch,
                branch_there=status is not None,
                on_main=status in ("identical", "behind"),
            )

        return self._with(api, f"the tag {name} of {self._repository}", asked)

    def allowing(self, before: str, commit: str, labels: Sequence[str]) -> tuple[str | None, ...]:
        """Which merged pull request since the current version bears each of some labels.

        Args:
            before: the current version's commit.
            commit: the release's.
            labels: what each allows.

        Returns:
            For each label the pull request, for a sentence; None where there is none.

        Raises:
            GitHubFailed: as ``look``; also where the two commits have nothing in common.
        """
        api = self._api(NO_BREAKING, "pull-requests: read")

        def asked(repository: Repository) -> tuple[str | None, ...]:
            compared = repository.compare(before, commit, comparison_commits_per_page=250)
            since = api.ask(lambda: compared.base_commit.commit.committer.date)
            commits = {one.sha for one in api.listed(lambda: compared.commits, MOST_COMMITS)}
            merged = _merged(api, repository, since)
            return tuple(version_tag.allowing(merged, commits, label) for label in labels)

        return self._with(api, f"the pull requests of {self._repository}", asked)

    def _api(self, not_done: str, needs: str) -> Api:
        return Api(
            self._access,
            most_wait=WAIT_SECONDS,
            not_done=not_done,
            needs=needs,
            sleep=self._sleep,
            clock=self._clock,
        )

    def _with(self, api: Api, where: str, ask: Callable[[Repository], T]) -> T:
        client = api.client()
        try:
            return ask(client.get_repo(self._repository))
        except (*FAULTS, RuntimeError) as fault:
            raise api.failure(fault, where=where) from None
        finally:
            client.close()


def _peeled(api: Api, repository: Repository, name: str) -> tuple[str, str | None]:
    """Kind and SHA of what a tag points to; no SHA where there is no tag."""
    target = api.found(lambda: repository.get_git_ref(f"tags/{name}").object)
    if target is None:
        return "commit", None
    for _ in range(MOST_TAGS):
        if target.type != "tag":
            break
        sha = target.sha
        target = api.ask(lambda sha=sha: repository.get_git_tag(sha).object)  # type: ignore[misc]
    return target.type, target.sha


def _compared(api: Api, repository: Repository, branch: str, commit: str) -> str | None:
    """How the commit stands to the branch, in GitHub's word; None where there is no branch.

    Compared by its commit, for its name could be read as a tag's: git itself prefers the tag
    (https://git-scm.com/docs/gitrevisions), and whoever may push tags could name one so.
    """
    tip = api.found(lambda: repository.get_git_ref(f"heads/{branch}").object.sha)
    if tip is None:
        return None
    # One commit of the answer is enough; without the bound it would be 250, and their authors.
    compared = repository.compare(tip, commit, comparison_commits_per_page=1)
    # GitHub knows both, so what it does not find is a common ancestor.
    return api.found(lambda: compared.status) or "diverged"


def _merged(api: Api, repository: Repository, since: datetime) -> list[Merged]:
    """The pull requests that were merged since, as far as that can be told by their last change."""
    oldest = since.replace(tzinfo=since.tzinfo or timezone.utc) - SLACK
    pulls = api.listed(
        lambda: repository.get_pulls(state="closed", sort="updated", direction="desc"),
        MOST_PULLS,
        lambda pull: pull.updated_at is not None and pull.updated_at >= oldest,
    )
    return [
        Merged(
            number=pull.number,
            commit=pull.merge_commit_sha,
            labels=tuple(label.name for label in pull.labels),
        )
        for pull in pulls
        if pull.merged_at
    ]
