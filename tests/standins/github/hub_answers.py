"""What every part of GitHub's stand-in reads and answers with."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any
from urllib.parse import quote, urlencode

MAX_PER_PAGE = 100
DOCS = "https://docs.github.com/rest"


@dataclass(frozen=True, kw_only=True)
class Token:
    login: str
    installation: bool
    write: bool
    refused: tuple[str, ...] = ()
    """Parts of paths under which it may not write."""


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str]
    body: bytes
    base: str

    def json(self) -> Any:
        return json.loads(self.body or b"null")


@dataclass(frozen=True, kw_only=True)
class Answer:
    status: int
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)


def failed(status: int, message: str, **more: Any) -> Answer:
    body = {"message": message, "documentation_url": DOCS, "status": str(status), **more}
    return Answer(status=status, body=body)


def not_accessible(token: Token) -> Answer:
    kind = "integration" if token.installation else "personal access token"
    return failed(403, f"Resource not accessible by {kind}")


def paged(
    request: Request, items: list[Any], *, most: int = MAX_PER_PAGE, usual: int = 30
) -> Answer:
    """One page of a list, and where its other pages are."""
    size = min(int(request.query.get("per_page", usual)), most)
    page = int(request.query.get("page", 1))
    last = max(1, -(-len(items) // size))
    pages = {"prev": page - 1, "next": page + 1, "last": last, "first": 1}
    if page >= last:
        del pages["next"], pages["last"]
    if page == 1:
        del pages["prev"], pages["first"]
    links = [
        f'<{request.base}{request.path}?{urlencode({**request.query, "page": to})}>; rel="{rel}"'
        for rel, to in pages.items()
    ]
    headers = {"Link": ", ".join(links)} if links else {}
    return Answer(status=200, body=items[(page - 1) * size : page * size], headers=headers)


def as_login(example: dict[str, Any], login: str) -> dict[str, Any]:
    """A user of GitHub's examples under another name."""
    named = {
        key: value.replace("octocat", quote(login) if "://" in value else login)
        if isinstance(value, str)
        else value
        for key, value in example.items()
    }
    return {**named, "login": login, "type": "Bot" if login.endswith("[bot]") else "User"}


def now() -> str:
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


class Part:
    """What the parts of a ``Hub`` share; ``Hub`` fills it."""

    url: str
    _lock: threading.RLock
    _examples: dict[str, Any]
    _repositories: dict[str, int]
    _pulls: dict[tuple[str, int], dict[str, Any]]
    _next_id: int

    def create_repository(self, repository: str) -> None:
        """An empty repository, by its full name."""
        with self._lock:
            self._repositories.setdefault(repository, self._new_id())

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id
