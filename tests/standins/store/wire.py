"""An HTTP server on loopback whose answers a test scripts, for what moto cannot play.

``with wire.serve(answer) as server`` calls ``answer`` for every request, and keeps the requests.
"""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

HOP_BY_HOP = ("connection", "expect", "transfer-encoding")
NOT_FORWARDED = ("connection", "content-length", "date", "server", "transfer-encoding")


@dataclass(frozen=True, kw_only=True)
class Request:
    method: str
    path: str
    headers: dict[str, str]
    body: bytes = b""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """``length`` is the Content-Length to claim, where it is not that of the body.

    ``lost``: the connection closes without an answer.
    """

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None
    lost: bool = False


@dataclass(frozen=True, kw_only=True)
class Server:
    url: str
    requests: list[Request] = field(default_factory=list)


def s3_error(status: int, code: str, message: str = "no", **more: str) -> Answer:
    """An error as S3 writes it; see API/ErrorResponses.html."""
    extra = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
    text = f"<Error><Code>{code}</Code><Message>{message}</Message>{extra}</Error>"
    body = f'<?xml version="1.0" encoding="UTF-8"?>\n{text}'.encode()
    return Answer(status=status, body=body, headers={"Content-Type": "application/xml"})


def forward(request: Request, upstream: str, *, without: tuple[str, ...] = ()) -> Answer:
    """Another server's answer to a request, as a proxy that drops some headers would give it."""
    url = urlsplit(upstream)
    assert url.hostname is not None
    kept = {n: v for n, v in request.headers.items() if n not in {*HOP_BY_HOP, *without}}
    there = http.client.HTTPConnection(url.hostname, url.port, timeout=30)
    with contextlib.closing(there):
        there.request(request.method, request.path, body=request.body, headers=kept)
        got = there.getresponse()
        headers = {n: v for n, v in got.getheaders() if n.lower() not in NOT_FORWARDED}
        return Answer(status=got.status, body=got.read(), headers=headers)


class LateWriter:
    """A store that checks a condition, lets others do the same, and writes then.

    A writer waits until another one has passed the same check, and for a moment only, since alone
    it must be answered as by any other store.
    """

    def __init__(self, upstream: str, condition: str) -> None:
        self.upstream = upstream
        self.condition = condition
        self._etags: dict[str, str] = {}
        self._passed = 0
        self._another = threading.Condition()

    def answer(self, request: Request) -> Answer:
        path, wanted = request.path.partition("?")[0], request.headers.get(self.condition)
        late = request.method == "PUT" and wanted is not None
        if late:
            there = self._etags.get(path)
            if there is not None if wanted == "*" else there != wanted:
                return s3_error(412, "PreconditionFailed")
            with self._another:
                self._passed += 1
                mine = self._passed
                self._another.notify_all()
                self._another.wait_for(lambda: self._passed > mine, timeout=1)
        given = forward(request, self.upstream, without=(self.condition,) if late else ())
        if request.method == "PUT" and given.status == HTTPStatus.OK:
            self._etags[path] = {n.lower(): v for n, v in given.headers.items()}["etag"]
        elif request.method == "DELETE":
            self._etags.pop(path, None)
        return given


@contextlib.contextmanager
def serve(answer: Callable[[Request], Answer], *, dated: bool = True) -> Iterator[Server]:
    """Serve until the block is left; ``dated`` answers bear this machine's time."""
    seen: list[Request] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _any(self) -> None:
            headers = {name.lower(): value for name, value in self.headers.items()}
            body = self.rfile.read(int(headers.get("content-length", "0")))
            request = Request(method=self.command, path=self.path, headers=headers, body=body)
            seen.append(request)
            given = answer(request)
            if given.lost:
                self.close_connection = True
                return
            self.send_response_only(given.status)
            if dated:
                self.send_header("Date", self.date_time_string())
            for name, value in given.headers.items():
                self.send_header(name, value)
            length = len(given.body) if given.length is None else given.length
            self.send_header("Content-Length", str(length))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(given.body)
            self.close_connection = length != len(given.body)

        do_DELETE = do_GET = do_HEAD = do_POST = do_PUT = _any  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield Server(url=f"http://127.0.0.1:{server.server_port}", requests=seen)
        finally:
            server.shutdown()
            thread.join()
