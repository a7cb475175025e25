"""GitHub's REST API on loopback: comments, labels and what surrounds them, with memory and faults.

As a library: ``with github.serve() as hub: hub.create_pull_request("acme/shop", 7)``.
As a process: ``python tests/standins/github/github.py [--port 0]`` prints one JSON line with its
addresses and serves until its standard input closes or it is told to end. Whatever a ``Hub`` can be
asked is then asked by ``POST /_standin/<method>`` with the arguments as a JSON object; the answer
is ``{"result": ...}``.

Every request and every answer is checked against GitHub's published OpenAPI description
(``fixtures/github-openapi.json``); what does not fit is answered 500 and kept in ``violations``.
Added to that is what the description leaves unsaid: who may do what, the limit of a body, pages,
rate limits. Served under ``/``, as api.github.com is, and ``/api/v3/``, as on GitHub Enterprise.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import functools
import json
import os
import re
import secrets
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urlsplit

from openapi_core import OpenAPI
from openapi_core.testing import MockRequest, MockResponse

# As a process, this file's own folder stands there instead.
sys.path.append(str(Path(__file__).parents[2]))

from standins.github.hub_answers import (
    Answer,
    Request,
    Token,
    as_login,
    failed,
    not_accessible,
    now,
    paged,
)
from standins.github.hub_artifacts import STORAGE, Artifacts
from standins.github.hub_history import History
from standins.github.hub_releases import Releases

HOST = "127.0.0.1"
DESCRIPTION = Path(__file__).parents[2] / "fixtures" / "github-openapi.json"
ENTERPRISE = "/api/v3"
CONTROL = "/_standin/"
BODY_LIMIT = 65_536
RATE_LIMIT = 5_000


@dataclass(frozen=True, kw_only=True)
class Seen:
    """One request, as it came in and as it was answered; status 0: the connection was dropped."""

    method: str
    path: str
    """With its query, and with ``/api/v3`` where it was asked there."""
    status: int


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What goes wrong with the next requests that fit.

    With ``performed`` the request has its effect and only the answer is replaced. Without
    ``status`` the connection is dropped instead of an answer.
    """

    method: str = ""
    path: str = ""
    """A part of the path with its query; empty fits all."""
    times: int = 1
    status: int | None = None
    message: str = "Server Error"
    headers: Mapping[str, str] = field(default_factory=dict)
    performed: bool = False


class Hub(History, Releases, Artifacts):
    """All that this GitHub knows. Its public methods take and give what JSON can hold."""

    def __init__(self) -> None:
        History.__init__(self)
        Releases.__init__(self)
        Artifacts.__init__(self)
        self.url = ""
        """Of the API, as GITHUB_API_URL on github.com; set when it is served."""
        self.violations: list[str] = []
        self.seen: list[Seen] = []
        self._openapi, self._examples = _description()
        self._lock = threading.RLock()
        self._repositories: dict[str, int] = {}
        self._pulls: dict[tuple[str, int], dict[str, Any]] = {}
        self._comments: dict[int, dict[str, Any]] = {}
        self._tokens: dict[str, Token] = {}
        self._faults: list[Fault] = []
        self._remaining = RATE_LIMIT
        self._reset = 0.0
        self._next_id = 1000

    @property
    def enterprise_url(self) -> str:
        """As GITHUB_API_URL on GitHub Enterprise Server."""
        return self.url + ENTERPRISE

    # What a test may ask for ----------------------------------------------------------------------

    def create_token(
        self,
        login: str,
        *,
        installation: bool = False,
        write: bool = True,
        refused: Sequence[str] = (),
    ) -> str:
        """A token; an installation's (as GITHUB_TOKEN is) cannot ask who it is.

        ``refused`` are parts of paths under which it may not write, though it may elsewhere.
        """
        with self._lock:
            token = ("ghs_" if installation else "ghp_") + secrets.token_hex(18)
            self._tokens[token] = Token(
                login=login, installation=installation, write=write, refused=tuple(refused)
            )
            return token

    def create_pull_request(
        self,
        repository: str,
        number: int,
        *,
        title: str = "A change",
        author: str = "octocat",
        head: str = "",
        branch: str = "a-change",
        commit: str = "0" * 40,
    ) -> None:
        """An open pull request, of a branch of ``head`` or of its own repository, which is made if
        need be."""
        with self._lock:
            self.create_repository(repository)
            url = f"https://github.com/{repository}/pull/{number}"
            self._pulls[repository, number] = {
                "title": title,
                "author": author,
                "url": url,
                "locked": False,
                "labels": [],
                "closed_at": None,
                "merged": False,
                "head": {"repository": head or repository, "branch": branch, "commit": commit},
            }

    def push(self, repository: str, number: int, commit: str) -> None:
        """A new commit on a pull request's branch."""
        with self._lock:
            self._pulls[repository, number]["head"]["commit"] = commit

    def delete_fork(self, repository: str, number: int) -> None:
        """The repository that a pull request comes from is gone."""
        with self._lock:
            self._pulls[repository, number]["head"]["repository"] = ""

    def close_pull_request(self, repository: str, number: int, *, merged: bool = False) -> None:
        """Close it, or merge it."""
        with self._lock:
            self._pulls[repository, number].update(closed_at=now(), merged=merged)

    def lock_pull_request(self, repository: str, number: int) -> None:
        """Lock the conversation."""
        with self._lock:
            self._pulls[repository, number]["locked"] = True

    def create_comment(self, repository: str, number: int, body: str, author: str) -> int:
        """A comment that is there already, with a login as its author; gives its id."""
        with self._lock:
            return int(self._comment(repository, number, body, author)["id"])

    def edit_comment(self, comment: int, body: str) -> None:
        """Change a comment, as its author would."""
        with self._lock:
            self._comments[comment].update(body=body, updated_at=now())

    def comments(self, repository: str, number: int) -> list[dict[str, Any]]:
        """A pull request's comments, oldest first: GitHub's JSON."""
        with self._lock:
            return copy.deepcopy(self._listed(repository, number))

    def labels(self, repository: str, number: int) -> list[str]:
        """A pull request's labels."""
        with self._lock:
            return list(self._pulls[repository, number]["labels"])

    def add_fault(self, **fault: Any) -> None:
        """Let something go wrong; the arguments are ``Fault``'s fields."""
        with self._lock:
            self._faults.append(Fault(**fault))

    def limit_rate(self, remaining: int, reset: float) -> None:
        """Allow so many requests more until ``reset`` (seconds since 1970)."""
        with self._lock:
            self._remaining, self._reset = remaining, reset

    def requests(self) -> list[dict[str, Any]]:
        """Every request so far, those of ``/_standin/`` left out."""
        with self._lock:
            return [asdict(seen) for seen in self.seen]

    def broken_rules(self) -> list[str]:
        """What did not fit GitHub's description."""
        with self._lock:
            return list(self.violations)

    # One request ----------------------------------------------------------------------------------

    def answer(self, request: Request) -> Answer | None:
        """Answer one request; None drops the connection."""
        with self._lock:
            fault = self._fault(request)
            answer: Answer | None = None
            if fault is None or fault.performed:
                answer = self._checked(request)
            if fault is not None:
                answer = None if fault.status is None else failed(fault.status, fault.message)
                answer = answer and replace(answer, headers=fault.headers)
            where = request.base.removeprefix(self.url) + request.path
            where += f"?{urlencode(request.query)}" if request.query else ""
            status = answer.status if answer else 0
            self.seen.append(Seen(method=request.method, path=where, status=status))
            # A fault's own word on the limits stands.
            return answer and replace(answer, headers={**self._limits(), **answer.headers})

    def _fault(self, request: Request) -> Fault | None:
        where = f"{request.path}?{urlencode(request.query)}"
        for index, fault in enumerate(self._faults):
            if fault.method in {"", request.method} and fault.path in where:
                left = replace(fault, times=fault.times - 1)
                self._faults[index : index + 1] = [left] if left.times else []
                return fault
        return None

    def _checked(self, request: Request) -> Answer:
        uploads = request.method == "POST" and request.path.endswith("/assets")
        asked = MockRequest(
            "https://uploads.github.com" if uploads else "https://api.github.com",
            request.method,
            # The one place in the description where a parameter holds slashes.
            re.sub("(/git/ref/)(.+)", lambda m: m[1] + quote(m[2], safe="%"), request.path),
            args=request.query,
            headers=dict(request.headers),
            data=request.body,
            # The description knows no other one, and GitHub takes any.
            content_type="application/octet-stream"
            if uploads
            else request.headers.get("Content-Type", ""),
        )
        wrong = [_told(error) for error in self._openapi.iter_request_errors(asked)]
        if wrong:
            return self._violated(f"{request.method} {request.path}", wrong)
        answer = self._allowed(request)
        data = b"" if answer.body is None else json.dumps(answer.body).encode()
        given = MockResponse(data, answer.status, dict(answer.headers))
        described = self._openapi.iter_response_errors(asked, given)
        # Refusals such as 401 and 429 can come from anywhere and are described nowhere.
        wrong = [
            _told(error)
            for error in described
            if not (answer.status >= 400 and type(error).__name__ == "ResponseNotFound")
        ]
        if wrong:
            return self._violated(f"the answer to {request.method} {request.path}", wrong)
        return answer

    def _violated(self, what: str, wrong: list[str]) -> Answer:
        self.violations.append(f"{what} does not fit GitHub's description: {'; '.join(wrong)}")
        return failed(500, self.violations[-1])

    def _allowed(self, request: Request) -> Answer:
        if "Authorization" not in request.headers:
            return failed(401, "Requires authentication")
        _, _, given = request.headers["Authorization"].partition(" ")
        token = self._tokens.get(given)
        if token is None:
            return failed(401, "Bad credentials")
        if self._remaining <= 0 and time.time() < self._reset:
            return failed(403, f"API rate limit exceeded for user ID {len(token.login)}.")
        self._remaining -= 1
        for method, pattern, handler in self._routes():
            found = re.fullmatch(pattern, request.path)
            if found and method == request.method:
                refused = any(part in request.path for part in token.refused)
                if method != "GET" and (refused or not token.write):
                    return not_accessible(token)
                return handler(request, token, *(unquote(part) for part in found.groups()))
        return failed(404, "Not Found")

    def _routes(self) -> list[tuple[str, str, Callable[..., Answer]]]:
        repository = "/repos/([^/]+/[^/]+)"
        issue = f"{repository}/issues/([0-9]+)"
        comment = f"{repository}/issues/comments/([0-9]+)"
        releases, deployments = f"{repository}/releases", f"{repository}/deployments"
        return [
            ("GET", "/user", self._get_user),
            ("GET", repository, self._get_repository),
            ("GET", f"{repository}/pulls", self._list_pulls),
            ("GET", f"{repository}/pulls/([0-9]+)", self._get_pull),
            ("GET", f"{repository}/actions/runs/([0-9]+)/artifacts", self._list_artifacts),
            ("GET", f"{repository}/actions/artifacts/([0-9]+)/zip", self._download_artifact),
            ("GET", f"{repository}/git/ref/(.+)", self._get_ref),
            ("GET", f"{repository}/git/tags/([0-9a-f]+)", self._get_tag),
            ("GET", rf"{repository}/compare/(.+?)\.\.\.(.+)", self._compare),
            ("GET", releases, self._list_releases),
            ("POST", releases, self._create_release),
            ("PATCH", f"{releases}/([0-9]+)", self._update_release),
            ("DELETE", f"{releases}/([0-9]+)", self._delete_release),
            ("GET", f"{releases}/([0-9]+)/assets", self._list_assets),
            ("POST", f"{releases}/([0-9]+)/assets", self._upload_asset),
            ("DELETE", f"{releases}/assets/([0-9]+)", self._delete_asset),
            ("GET", deployments, self._list_deployments),
            ("GET", f"{deployments}/([0-9]+)/statuses", self._list_statuses),
            ("POST", f"{deployments}/([0-9]+)/statuses", self._create_status),
            ("GET", f"{issue}/comments", self._list_comments),
            ("POST", f"{issue}/comments", self._create_comment),
            ("GET", comment, self._get_comment),
            ("PATCH", comment, self._update_comment),
            ("DELETE", comment, self._delete_comment),
            ("GET", f"{issue}/labels", self._list_labels),
            ("POST", f"{issue}/labels", self._add_labels),
            ("DELETE", f"{issue}/labels/([^/]+)", self._remove_label),
        ]

    # Operations -----------------------------------------------------------------------------------

    def _get_user(self, _request: Request, token: Token) -> Answer:
        if token.installation:
            return not_accessible(token)
        user = as_login(self._examples["user"], token.login)
        return Answer(status=200, body={**user, "user_view_type": "public"})

    def _get_repository(self, request: Request, _token: Token, name: str) -> Answer:
        if name not in self._repositories:
            return failed(404, "Not Found")
        owner, _, short = name.partition("/")
        # GitHub's own examples lack `language`, which its schema requires.
        found = {k: v for k, v in self._examples["repository"].items() if k not in _NESTED}
        return Answer(
            status=200,
            body={
                **found,
                "id": self._repositories[name],
                "name": short,
                "full_name": name,
                "owner": as_login(found["owner"], owner),
                "url": f"{request.base}/repos/{name}",
                "html_url": f"https://github.com/{name}",
                "language": None,
                "default_branch": "main",
            },
        )

    def _get_pull(self, _request: Request, _token: Token, name: str, number: str) -> Answer:
        pull = self._pulls.get((name, int(number)))
        if pull is None:
            return failed(404, "Not Found")
        example = self._examples["pull"]
        return Answer(
            status=200,
            body={
                **example,
                "number": int(number),
                "title": pull["title"],
                "user": as_login(example["user"], pull["author"]),
                "html_url": pull["url"],
                "locked": pull["locked"],
                "state": "closed" if pull["closed_at"] else "open",
                "closed_at": pull["closed_at"],
                "merged": pull["merged"],
                "merged_at": pull["closed_at"] if pull["merged"] else None,
                "labels": [],
                "requested_teams": [],
            },
        )

    def _list_comments(self, request: Request, _token: Token, name: str, number: str) -> Answer:
        if (name, int(number)) not in self._pulls:
            return failed(404, "Not Found")
        listed = self._listed(name, int(number))
        return paged(request, [self._seen_from(request, found) for found in listed])

    def _create_comment(self, request: Request, token: Token, name: str, number: str) -> Answer:
        pull = self._pulls.get((name, int(number)))
        if pull is None:
            return failed(404, "Not Found")
        if pull["locked"]:
            return failed(403, "Unable to create comment because issue is locked.")
        body = request.json()["body"]
        refused = _body_refused(body)
        if refused:
            return refused
        made = self._comment(name, int(number), body, token.login)
        made = self._seen_from(request, made)
        return Answer(status=201, body=made, headers={"Location": made["url"]})

    def _get_comment(self, request: Request, _token: Token, name: str, number: str) -> Answer:
        def get(found: dict[str, Any]) -> Answer:
            return Answer(status=200, body=self._seen_from(request, found))

        return self._with_comment(name, number, get)

    def _update_comment(self, request: Request, token: Token, name: str, number: str) -> Answer:
        def update(found: dict[str, Any]) -> Answer:
            if found["user"]["login"] != token.login:
                return not_accessible(token)
            body = request.json()["body"]
            refused = _body_refused(body)
            if refused:
                return refused
            found.update(body=body, updated_at=now())
            return Answer(status=200, body=self._seen_from(request, found))

        return self._with_comment(name, number, update)

    def _delete_comment(self, _request: Request, token: Token, name: str, number: str) -> Answer:
        def delete(found: dict[str, Any]) -> Answer:
            if found["user"]["login"] != token.login:
                return not_accessible(token)
            del self._comments[int(number)]
            return Answer(status=204)

        return self._with_comment(name, number, delete)

    def _list_labels(self, request: Request, _token: Token, name: str, number: str) -> Answer:
        return self._labelled(request, name, number, lambda labels: labels)

    def _add_labels(self, request: Request, _token: Token, name: str, number: str) -> Answer:
        given = request.json()
        new = given["labels"] if isinstance(given, dict) else given
        return self._labelled(
            request, name, number, lambda labels: list(dict.fromkeys([*labels, *new]))
        )

    def _remove_label(
        self, request: Request, _token: Token, name: str, number: str, label: str
    ) -> Answer:
        pull = self._pulls.get((name, int(number)))
        if pull is None or label not in pull["labels"]:
            return failed(404, "Label does not exist")
        return self._labelled(
            request, name, number, lambda labels: [kept for kept in labels if kept != label]
        )

    # Helpers --------------------------------------------------------------------------------------

    def _labelled(
        self,
        request: Request,
        name: str,
        number: str,
        change: Callable[[list[str]], list[str]],
    ) -> Answer:
        pull = self._pulls.get((name, int(number)))
        if pull is None:
            return failed(404, "Not Found")
        pull["labels"] = change(pull["labels"])
        example = self._examples["labels"][0]
        return paged(request, [{**example, "name": label} for label in pull["labels"]])

    def _with_comment(
        self, name: str, number: str, use: Callable[[dict[str, Any]], Answer]
    ) -> Answer:
        found = self._comments.get(int(number))
        if found is None or f"/{name}/" not in found["url"]:
            return failed(404, "Not Found")
        return use(found)

    def _comment(self, name: str, number: int, body: str, author: str) -> dict[str, Any]:
        made = self._new_id()
        api = f"{self.url}/repos/{name}/issues"
        comment = {
            **self._examples["comment"],
            "id": made,
            "url": f"{api}/comments/{made}",
            "issue_url": f"{api}/{number}",
            "html_url": f"{self._pulls[name, number]['url']}#issuecomment-{made}",
            "body": body,
            "user": as_login(self._examples["comment"]["user"], author),
            "created_at": now(),
            "updated_at": now(),
        }
        self._comments[made] = comment
        return comment

    def _seen_from(self, request: Request, comment: dict[str, Any]) -> dict[str, Any]:
        """With links to where it was asked, as GitHub gives them."""
        links = {key: comment[key].replace(self.url, request.base) for key in ("url", "issue_url")}
        return {**comment, **links}

    def _listed(self, name: str, number: int) -> list[dict[str, Any]]:
        issue = f"{self.url}/repos/{name}/issues/{number}"
        return [found for found in self._comments.values() if found["issue_url"] == issue]

    def _limits(self) -> dict[str, str]:
        return {
            "X-RateLimit-Limit": str(RATE_LIMIT),
            "X-RateLimit-Remaining": str(max(self._remaining, 0)),
            "X-RateLimit-Used": str(RATE_LIMIT - max(self._remaining, 0)),
            "X-RateLimit-Reset": str(int(self._reset or time.time() + 3600)),
            "X-RateLimit-Resource": "core",
            "X-GitHub-Request-Id": secrets.token_hex(8).upper(),
        }


@functools.cache
def _description() -> tuple[OpenAPI, dict[str, Any]]:
    """GitHub's description and its examples by our names; 0.1 s the first time."""
    description = json.loads(DESCRIPTION.read_text())
    examples = description.pop("x-examples")
    return OpenAPI.from_dict(description), examples


_NESTED = {"source", "parent", "template_repository"}


def _body_refused(body: str) -> Answer | None:
    """GitHub counts characters in its message; it is as strict here as that says."""
    told = ""
    if not body.strip():
        told = "Body can't be blank"
    elif len(body) > BODY_LIMIT:
        told = f"Body is too long (maximum is {BODY_LIMIT} characters)"
    if not told:
        return None
    wrong = {
        "resource": "IssueComment",
        "code": "unprocessable",
        "field": "data",
        "message": told,
    }
    return failed(422, "Validation Failed", errors=[wrong])


def _told(error: BaseException) -> str:
    """An openapi-core error with the reasons below it."""
    reasons = [type(error).__name__, str(error)]
    cause = error.__cause__
    while cause is not None:
        listed = getattr(cause, "schema_errors", [])
        reasons += [f"{list(wrong.absolute_path)} {wrong.message[:300]}" for wrong in listed]
        reasons += [] if listed else [str(cause)[:300]]
        cause = cause.__cause__
    return ": ".join(reasons)


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, hub: Hub) -> None:
        super().__init__((HOST, port), _Handler)
        self.hub = hub


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Without it, a kept-alive connection waits 40 ms for an acknowledgement before each body.
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        address = urlsplit(self.path)
        if address.path.startswith(CONTROL):
            self._control(address.path.removeprefix(CONTROL), body)
            return
        if address.path.startswith(STORAGE):
            self._give(address.path)
            return
        enterprise = address.path.startswith(ENTERPRISE + "/")
        request = Request(
            method=self.command,
            path=address.path.removeprefix(ENTERPRISE) if enterprise else address.path,
            query=dict(parse_qsl(address.query)),
            headers=self.headers,  # type: ignore[arg-type]  # an email.message.Message
            body=body,
            base=self.server.hub.enterprise_url if enterprise else self.server.hub.url,
        )
        self._send(self.server.hub.answer(request))

    def _give(self, path: str) -> None:
        found = self.server.hub.stored(path, signed="Authorization" in self.headers)
        self.send_response(403 if found is None else 200)
        self.send_header("Content-Type", "application/zip")
        self.send_header("Content-Length", str(len(found or b"")))
        self.end_headers()
        self.wfile.write(found or b"")

    def _control(self, name: str, body: bytes) -> None:
        if name not in CONTROLS:
            self._send(failed(404, f"there is no {name}"))
            return
        try:
            result = getattr(self.server.hub, name)(**json.loads(body or b"{}"))
        except (KeyError, TypeError, ValueError) as wrong:
            self._send(failed(400, repr(wrong)))
        else:
            self._send(Answer(status=200, body={"result": result}))

    def _send(self, answer: Answer | None) -> None:
        if answer is None:
            self.close_connection = True
            return
        data = b"" if answer.body is None else json.dumps(answer.body).encode()
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        if answer.status != 204:
            self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815


CONTROLS = {
    "add_fault",
    "asset",
    "broken_rules",
    "comments",
    "create_comment",
    "create_commit",
    "create_deployment",
    "create_pull_request",
    "create_release",
    "create_repository",
    "create_token",
    "delete_tag",
    "deployment_states",
    "edit_comment",
    "interrupt_uploads",
    "labels",
    "latest_release",
    "limit_rate",
    "lock_pull_request",
    "make_releases_immutable",
    "merge_pull_request",
    "releases",
    "requests",
    "set_branch",
    "set_tag",
}


@contextlib.contextmanager
def serve(port: int = 0) -> Iterator[Hub]:
    """Serve on loopback, in threads of this process (about 0.2 s to start)."""
    hub = Hub()
    server = _Server(port, hub)
    hub.url = f"http://{HOST}:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def main() -> None:
    parser = argparse.ArgumentParser(description="GitHub's REST API on loopback.")
    parser.add_argument("--port", type=int, default=0)
    port = parser.parse_args().port
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with serve(port) as hub, contextlib.suppress(KeyboardInterrupt):
        told = {"url": hub.url, "enterprise_url": hub.enterprise_url, "pid": os.getpid()}
        print(json.dumps(told), flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
