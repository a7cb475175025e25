"""GitHub's REST API, through PyGithub: a tag's release, drafted first and published last.

GitHub knows no conditional write, and a POST that was answered 502 may have had its effect. So
each attempt looks first and does only what is missing; after a fault all begins anew.

Source: https://docs.github.com/rest/releases. A published release may be immutable: its assets and
its tag can't be changed then, its text can
(https://docs.github.com/code-security/concepts/supply-chain-security/immutable-releases).
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import mimetypes
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

from github.GitRelease import GitRelease
from github.Repository import Repository

from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import release_body
from dbtdeploy.github.pygithub_client import FAULTS, Api
from dbtdeploy.github.release_body import GitHubRelease, Notes, Section

WAIT_SECONDS = 300.0
"""All waits of one step together."""

NOT_DONE = "The GitHub release was not written; what is live stays as it is."

T = TypeVar("T")


class Releases:
    """Writes a repository's releases.

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
        self._repository = repository
        self._api = Api(
            access,
            most_wait=WAIT_SECONDS,
            not_done=NOT_DONE,
            needs="contents: write",
            sleep=sleep,
            clock=clock,
        )

    def draft(self, notes: Notes) -> GitHubRelease:
        """See to it that there is one draft of ours for the tag; a published release is left alone.

        Raises:
            GitHubFailed: GitHub refused, or gave no answer within the bounds above.
        """

        def act(repository: Repository, found: list[GitRelease]) -> GitHubRelease:
            published = _published(found)
            if published is not None:
                return GitHubRelease(tag=notes.tag, state="nothing", url=published.html_url)
            made = _drafted(repository, _drafts(found, notes.section), notes)
            return GitHubRelease(tag=notes.tag, state="draft", url=made.html_url)

        return self._with(notes.tag, act)

    def publish(self, notes: Notes) -> GitHubRelease:
        """Publish the draft, or write our part into the release that is published already.

        Raises:
            GitHubFailed: as ``draft``.
        """

        def act(repository: Repository, found: list[GitRelease]) -> GitHubRelease:
            published = _published(found)
            drafts = _drafts(found, notes.section)
            if published is not None:
                _delete(drafts)
                return _rewritten(published, notes)
            draft = _drafted(repository, drafts, notes)
            state = {"draft": False, "prerelease": notes.candidate}
            # A killed run's draft may be published when a newer tag is live: GitHub decides then.
            newest = "true" if notes.text is not None and notes.newest else "legacy"
            latest = "false" if notes.candidate else newest
            changed = _patch(draft, {**state, "make_latest": latest})
            return GitHubRelease(tag=notes.tag, state="published", url=changed["html_url"])

        return self._with(notes.tag, act)

    def remove_draft(self, tag: str, section: Section) -> bool:
        """Remove our drafts for a tag; whether there were any.

        Raises:
            GitHubFailed: as ``draft``.
        """

        def act(_repository: Repository, found: list[GitRelease]) -> bool:
            drafts = _drafts(found, section)
            for draft in drafts:
                draft.delete_release()
            return bool(drafts)

        return self._with(tag, act)

    def crown(self, tag: str, section: Section, text: str) -> GitHubRelease:
        """Put a line on top of a tag's release, which is then not the latest any more.

        A draft of ours goes: it was never published, and never shall be.

        Raises:
            GitHubFailed: as ``draft``.
        """

        def act(_repository: Repository, found: list[GitRelease]) -> GitHubRelease:
            _delete(_drafts(found, section))
            published = _published(found)
            if published is None:
                return GitHubRelease(tag=tag, state="nothing")
            body = section.crown(published.body or "", text)
            if body != published.body and len(body) <= release_body.LIMIT_CHARS:
                _patch(published, {"body": body, "make_latest": "false"})
            return GitHubRelease(tag=tag, state="published", url=published.html_url)

        return self._with(tag, act)

    def make_latest(self, tag: str) -> bool:
        """Let a tag's release be the latest one; whether there is one that can be.

        Raises:
            GitHubFailed: as ``draft``.
        """

        def act(_repository: Repository, found: list[GitRelease]) -> bool:
            published = _published(found)
            if published is None or published.prerelease:
                return False
            _patch(published, {"make_latest": "true"})
            return True

        return self._with(tag, act)

    def _with(self, tag: str, act: Callable[[Repository, list[GitRelease]], T]) -> T:
        """Look at the tag's releases and act on them, again after a fault that may pass."""
        self._api.begin()
        client = self._api.client()
        try:
            repository = client.get_repo(self._repository)
            while True:
                # Drafts stand in the list only, and their tag may be anybody's.
                listed = self._api.listed(repository.get_releases)
                try:
                    return act(repository, [one for one in listed if one.tag_name == tag])
                except FAULTS as fault:
                    self._api.pause(fault)
        except (*FAULTS, RuntimeError, AssertionError) as fault:
            where = f"the release {tag} of {self._repository}"
            raise self._api.failure(fault, where=where) from None
        finally:
            client.close()


def _published(found: list[GitRelease]) -> GitRelease | None:
    """GitHub has at most one for each tag."""
    return next((release for release in found if not release.draft), None)


def _drafts(found: list[GitRelease], section: Section) -> list[GitRelease]:
    """Our drafts, the oldest first; what others drafted for the same tag is theirs."""
    bodies = [(release, release.body or "") for release in found if release.draft]
    own = [one for one, body in bodies if release_body.is_ours(body) and section.is_in(body)]
    return sorted(own, key=lambda release: release.id)


def _drafted(repository: Repository, drafts: list[GitRelease], notes: Notes) -> GitRelease:
    """One draft with our text and assets; the others are left from a fault and go."""
    if not drafts:
        body = notes.section.put("", notes.short if notes.text is None else notes.text)
        draft = repository.create_git_release(
            notes.tag,
            name=notes.tag,
            message=release_body.fitting(body, notes.section, notes.short),
            draft=True,
            prerelease=notes.candidate,
            # Decided when it is published.
            make_latest="false",
        )
    else:
        draft, *others = drafts
        _delete(others)
        _write(draft, notes)
    _attach(draft, notes.assets)
    return draft


def _write(release: GitRelease, notes: Notes, **more: str) -> bool:
    """Let our part say what it should; whether that changed anything."""
    before = release.body or ""
    if notes.text is None and notes.section.is_in(before):
        body = notes.section.uncrown(before)
    else:
        text = notes.short if notes.text is None else notes.text
        body = notes.section.put(notes.section.uncrown(before), text)
    body = release_body.fitting(body, notes.section, notes.short)
    if body == before or len(body) > release_body.LIMIT_CHARS:
        return False
    _patch(release, {"body": body, **more})
    return True


def _rewritten(published: GitRelease, notes: Notes) -> GitHubRelease:
    """Our part in a release that is published already: ours from before, or somebody else's."""
    ours = release_body.is_ours(published.body or "")
    _write(published, notes, **({} if published.prerelease else {"make_latest": "true"}))
    if ours and not published.immutable:
        _attach(published, notes.assets)
    state: release_body.GitHubReleaseState = "published" if ours else "appended"
    return GitHubRelease(tag=notes.tag, state=state, url=published.html_url)


def _attach(release: GitRelease, assets: Mapping[str, bytes]) -> None:
    """Upload what is not there, or is there otherwise; a broken upload leaves an empty asset."""
    there = {asset.name: asset for asset in release.get_assets()} if assets else {}
    for name, content in assets.items():
        asset = there.get(name)
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        if asset is not None:
            # GitHub Enterprise knows no digest before 3.18.
            same = asset.size == len(content) and asset.digest in (digest, None)
            if same and asset.state == "uploaded":
                continue
            asset.delete_asset()
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
        release.upload_asset_from_memory(io.BytesIO(content), len(content), name, content_type=kind)


def _delete(drafts: list[GitRelease]) -> None:
    """Drafts that nobody needs; one that stays is found again by the next run."""
    for draft in drafts:
        with contextlib.suppress(*FAULTS):
            draft.delete_release()


def _patch(release: GitRelease, changes: dict[str, object]) -> dict[str, str]:
    """Change these fields only: PyGithub's own call sends title and tag, too."""
    _, answer = release.requester.requestJsonAndCheck("PATCH", release.url, input=changes)
    return dict(answer)
