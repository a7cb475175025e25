"""The way to GitHub: proxies, certificates, answers that are none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github.comment_marker import Marker, RunMark, RunState, mark
from dbtdeploy.github.comments import Comments, Written
from dbtdeploy.github.pygithub_client import REPEATS


@dataclass
class Proxy:
    """Answers with what it is told, and with no tunnel."""

    answer: bytes = b""
    answers: dict[str, bytes] = field(default_factory=dict)
    """By path, or by method and path; before ``answer``."""
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            signed = self.headers.get("Proxy-Authorization", "")
            made.seen.append((self.command, self.path, signed))
            path = urlsplit(self.path).path.removeprefix("/api/v3")
            by_method = made.answers.get(f"{self.command} {path}", made.answer)
            answer = made.answers.get(path, by_method)
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def do_POST(self) -> None:
            self.do_GET()

        def do_CONNECT(self) -> None:
            signed = self.headers.get("Proxy-Authorization", "")
            made.seen.append((self.command, self.path, signed))
            self.send_error(403)

        def log_message(self, *_: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.url = f"127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield made
    server.shutdown()
    server.server_close()


def write(url: str) -> Written | None:
    comments = Comments(
        GitHubAccess(api_url=url, token="t"), author="octocat", sleep=lambda _: None
    )
    marker = Marker(project="shop", target="ci")
    ours = RunMark(run_id=1, run_attempt=1, commit="9f3c2e1", state=RunState.FINISHED)
    return comments.upsert_comment("acme/shop", 7, marker, ours, mark(marker, ours, "new"))


def failure(url: str) -> str:
    with pytest.raises(errors.GitHubFailed) as caught:
        write(url)
    return caught.value.what


def test_a_proxy_gets_the_whole_address(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    proxy.answers["/user"] = b'{"login": "octocat"}'
    monkeypatch.setenv("http_proxy", f"http://me:it%27s@{proxy.url}")
    assert "is not an answer of GitHub's" in failure("http://github.test/api/v3/")
    assert proxy.seen[0] == ("GET", "http://github.test:80/api/v3/user", "Basic bWU6aXQncw==")
    assert {signed for *_, signed in proxy.seen} == {"Basic bWU6aXQncw=="}


def test_an_encrypted_request_goes_through_a_tunnel(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", f"http://{proxy.url}")
    assert "403" in failure("https://github.test")
    assert set(proxy.seen) == {("CONNECT", "github.test:443", "")}


def test_no_proxy_is_heeded(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    failure(f"http://{proxy.url}")
    assert {path for _, path, _ in proxy.seen} == {"/user"}


NO_ANSWERS = [b"<html>Please sign in</html>", b"", b"[]", b"\xff", b"{", b'{"id": "x", "url": 1}']


@pytest.mark.parametrize("answer", NO_ANSWERS)
def test_what_is_no_answer_of_githubs_counts_as_none(proxy: Proxy, answer: bytes) -> None:
    comments = "/repos/acme/shop/issues/7/comments"
    proxy.answer = answer
    assert "did not answer" in failure(f"http://{proxy.url}")
    assert len(proxy.seen) == 1 + REPEATS, "asked again, as after silence"

    proxy.answers["/user"] = b'{"login": "octocat"}'
    proxy.answers[f"GET {comments}"] = b"[]"
    assert "did not answer" in failure(f"http://{proxy.url}")
    assert sum(method == "POST" for method, *_ in proxy.seen) == 1 + REPEATS


@pytest.mark.parametrize("answer", [answer for answer in NO_ANSWERS if answer not in (b"", b"[]")])
def test_a_list_that_is_none_is_not_taken_for_an_empty_one(proxy: Proxy, answer: bytes) -> None:
    proxy.answer = answer
    proxy.answers["/user"] = b'{"login": "octocat"}'
    assert "did not answer" in failure(f"http://{proxy.url}")
    assert all(method == "GET" for method, *_ in proxy.seen)


def test_certificates_that_are_named_are_those_that_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "none.pem"))
    assert "none.pem" in failure("https://127.0.0.1:9")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path))
    assert "ConnectionRefusedError" in failure("https://127.0.0.1:9")
