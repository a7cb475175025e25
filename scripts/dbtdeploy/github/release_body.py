"""A tag's release on GitHub: which parts of its text are ours, and what becomes of it. Pure.

Ours stands between hidden lines, one pair for each environment and project, so that a release may
be written by people, and by several projects, and every run finds its own part again:

    <!-- dbt-deploy release environment=production project=shop -->
    <!-- /dbt-deploy release environment=production project=shop -->
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import ClassVar, Literal

from msgspec import Struct, field

from dbtdeploy.base import errors, markdown
from dbtdeploy.context import hand_over
from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.hand_over import HandOver
from dbtdeploy.context.release_files import Released
from dbtdeploy.context.work_files import Failure
from dbtdeploy.github.comment_marker import encode

LIMIT_CHARS = 124_000
"""Of a release's text; GitHub keeps 125,000 characters."""

GitHubReleaseState = Literal["draft", "published", "appended", "removed", "nothing"]
"""``appended``: to the text of a release that others had published."""

Fate = Literal["publish", "remove", "leave"]

ANY_MARK = re.compile(r"<!-- (?=/?dbt-deploy )")
BEGINS_OURS = re.compile(r"<!-- dbt-deploy (?:release|rolled-back) \S+ \S+ -->")


class GitHubRelease(HandOver, frozen=True, kw_only=True):
    """What became of the tag's release."""

    FILE: ClassVar[str] = hand_over.PUBLISHED

    tag: str
    state: GitHubReleaseState
    url: str = ""


class Section(Struct, frozen=True, kw_only=True):
    """Whose part of a release's text."""

    environment: str
    project: str

    def put(self, body: str, text: str) -> str:
        """The body with ``text`` as our part: in the place of the old one, or at the end."""
        block = self._block("release", text)
        pattern = self._pattern("release")
        if pattern.search(body):
            return pattern.sub(lambda _: block, body, count=1)
        return f"{body.rstrip()}\n\n{block}" if body.strip() else block

    def crown(self, body: str, text: str) -> str:
        """The body with ``text`` on top, in the place of what we had put there."""
        below = self.uncrown(body)
        block = self._block("rolled-back", text)
        return f"{block}\n\n{below}" if below.strip() else block

    def uncrown(self, body: str) -> str:
        """The body without what we had put on top."""
        return self._pattern("rolled-back").sub("", body).lstrip()

    def is_in(self, body: str) -> bool:
        """Whether a part of the body is ours."""
        return self._pattern("release").search(body) is not None

    def _block(self, kind: str, text: str) -> str:
        # Nothing in it may look like the end of it.
        inert = ANY_MARK.sub(f"<!-- {markdown.ZERO_WIDTH_SPACE}", text.strip())
        return f"{self._mark(kind)}\n{inert}\n{self._mark(f'/{kind}')}"

    def _mark(self, kind: str) -> str:
        slash, name = ("/", kind[1:]) if kind.startswith("/") else ("", kind)
        who = f"environment={encode(self.environment)} project={encode(self.project)}"
        return f"<!-- {slash}dbt-deploy {name} {who} -->"

    def _pattern(self, kind: str) -> re.Pattern[str]:
        first, last = re.escape(self._mark(kind)), re.escape(self._mark(f"/{kind}"))
        return re.compile(rf"{first}\r?\n.*?{last}", re.DOTALL)


class Notes(Struct, frozen=True, kw_only=True):
    """What a release shall say."""

    tag: str
    section: Section
    text: str | None
    """Our part; None to leave it as a draft of ours has it."""
    short: str
    """Our part where there is no other, or GitHub would not keep all of it."""
    candidate: bool = False
    """Whether it is a pre-release, which is never the latest one."""
    newest: bool = True
    """Whether it is the latest one; otherwise GitHub decides."""
    assets: Mapping[str, bytes] = field(default_factory=dict)


def is_ours(body: str) -> bool:
    """Whether a release was made by dbt-deploy, of whatever environment or project."""
    return BEGINS_OURS.match(body.lstrip()) is not None


def fate(
    released: Released | None,
    publication: Publication | None,
    failure: Failure | None,
    *,
    built_in_place: bool = False,
) -> Fate:
    """What becomes of the release when the run is over.

    Args:
        released: how far the swap came.
        publication: of what was built in place.
        failure: of the run.
        built_in_place: whether nothing was staged, so that the publication alone counts.

    Returns:
        ``publish`` once the tag's version is current. ``leave`` where the next run decides: the
        warehouse has the release and the store does not yet, or the environment may be another
        run's by now.
    """
    if released is not None and released.taken_back:
        return "remove"
    live = bool(released and released.version)
    if built_in_place:
        live = live or bool(publication and publication.version)
    if live:
        return "publish"
    lost = failure is not None and failure.kind == errors.LeaseLost.__name__
    swapped = released is not None and (released.swapped_at or released.resumed == "finished")
    return "leave" if lost or swapped else "remove"


def fitting(body: str, section: Section, short: str) -> str:
    """The body; with ``short`` as our part where GitHub would not keep all of it."""
    return body if len(body) <= LIMIT_CHARS else section.put(body, short)
