"""The way to GitHub: proxies, certificates, answers that are none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github import comments_api
from dbtdeploy.github.rest_client import FAULTS, Rest, refused_by


@dataclass
class Proxy:
    """Answers everything with a user, and no tunnel."""

    answer: bytes = b'{"login": "octocat"}'
    seen: list[tuple[str, str, str]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    made = Proxy()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            signed = self.headers.get("Proxy-Authorization", "")
            made.seen.append((self.command, self.path, signed))
            self.send_response(200)
            self.send_header("Content-Length", str(len(made.answer)))
            self.end_headers()
            self.wfile.write(made.answer)

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


def rest(url: str, bundle: str | None = None) -> Rest:
    return Rest(GitHubAccess(api_url=url, token="t", ca_bundle=bundle), "t")


def test_a_proxy_gets_the_whole_address(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://me:it%27s@{proxy.url}")
    with rest("http://github.test/api/v3/") as github:
        assert comments_api.login(github) == "octocat"
    signed = "Basic bWU6aXQncw=="
    assert proxy.seen == [("GET", "http://github.test/api/v3/user", signed)]


def test_an_encrypted_request_goes_through_a_tunnel(
    proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", proxy.url)
    with rest("https://github.test") as github, pytest.raises(OSError, match="403"):
        comments_api.login(github)
    assert proxy.seen == [("CONNECT", "github.test:443", "")]


def test_no_proxy_is_heeded(proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with rest(f"http://{proxy.url}") as github:
        assert comments_api.login(github) == "octocat"
    assert [path for _, path, _ in proxy.seen] == ["/user"]


@pytest.mark.parametrize("answer", [b"<html>Please sign in</html>", b"", b"[]", b"\xff"])
def test_what_is_no_answer_of_githubs_counts_as_none(proxy: Proxy, answer: bytes) -> None:
    proxy.answer = answer
    with rest(f"http://{proxy.url}") as github, pytest.raises(FAULTS) as caught:
        comments_api.login(github)
    assert refused_by(caught.value).in_doubt


def test_certificates_that_are_named_are_those_that_count(tmp_path: Path) -> None:
    none = tmp_path / "none.pem"
    with rest("https://127.0.0.1:9", str(none)) as github, pytest.raises(FileNotFoundError):
        comments_api.login(github)
    folder = str(tmp_path)
    with rest("https://127.0.0.1:9", folder) as github, pytest.raises(ConnectionRefusedError):
        comments_api.login(github)
