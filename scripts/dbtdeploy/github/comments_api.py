"""GitHub's REST API: the comments of one pull request, and whose the token is.

Source: https://docs.github.com/rest/issues/comments.
"""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import quote

import msgspec

from dbtdeploy.base import json_codec
from dbtdeploy.github.api_errors import Refusal
from dbtdeploy.github.rest_client import Refused, Rest
from dbtdeploy.github.retry import PER_PAGE

T = TypeVar("T")


class User(msgspec.Struct):
    """Who wrote something."""

    login: str


class Comment(msgspec.Struct):
    """A comment as GitHub has it."""

    id: int
    html_url: str
    body: str | None = None
    user: User | None = None

    @property
    def login(self) -> str:
        """Of its author; empty where the account is gone."""
        return self.user.login if self.user else ""


class Issue:
    """The comments of one pull request. Repeats nothing; fails as ``Rest.send`` does."""

    def __init__(self, rest: Rest, repository: str, number: int) -> None:
        self._rest = rest
        self._issues = f"/repos/{quote(repository)}/issues"
        self._comments = f"{self._issues}/{number}/comments"

    def page(self, number: int) -> tuple[list[Comment], bool]:
        """Comments of one page, oldest first, and whether more follow."""
        asked = f"{self._comments}?per_page={PER_PAGE}&page={number}"
        content, link = self._rest.send("GET", asked)
        return _decoded(content, list[Comment]), 'rel="next"' in link

    def create(self, body: str) -> Comment:
        """Write another one."""
        content, _ = self._rest.send("POST", self._comments, {"body": body})
        return _decoded(content, Comment)

    def edit(self, comment: Comment, body: str) -> Comment:
        """Write over one."""
        content, _ = self._rest.send("PATCH", self._path(comment), {"body": body})
        return _decoded(content, Comment)

    def delete(self, comment: Comment) -> None:
        """Remove one."""
        self._rest.send("DELETE", self._path(comment))

    def _path(self, comment: Comment) -> str:
        return f"{self._issues}/comments/{comment.id}"


def login(rest: Rest) -> str:
    """Of the token's owner."""
    content, _ = rest.send("GET", "/user")
    return _decoded(content, User).login


def _decoded(content: bytes, kind: type[T]) -> T:
    try:
        return json_codec.decode(content, kind)
    except (msgspec.DecodeError, UnicodeDecodeError):
        # A proxy's page, say: as good as no answer.
        said = "what came is not an answer of GitHub's"
        raise Refused(Refusal(status=0, message=said)) from None
