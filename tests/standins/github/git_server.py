"""A git server on loopback: ``git http-backend``, which answers nobody without a token."""

from __future__ import annotations

import base64
import contextlib
import os
import subprocess
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit


class GitServer:
    """Serves the bare repositories below a folder.

    Args:
        folder: holds ``owner/name``.
        token: that a request must be signed with, as actions/checkout signs it.
    """

    def __init__(self, folder: Path, token: str) -> None:
        self.folder = folder
        self.signed = "Basic " + base64.b64encode(f"x-access-token:{token}".encode()).decode()
        self.url = ""
        self.before_push: Callable[[], object] = lambda: None
        """Called once a push has begun, before the server says where its refs are."""

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        if handler.headers.get("Authorization") != self.signed:
            handler.send_error(401)
            return
        where = urlsplit(handler.path)
        if handler.command == "GET" and "git-receive-pack" in where.query:
            self.before_push()
        length = handler.headers.get("Content-Length", "0")
        done = subprocess.run(
            ["git", "http-backend"],
            input=handler.rfile.read(int(length)),
            env={
                "PATH": os.environ["PATH"],
                "GIT_PROJECT_ROOT": str(self.folder),
                "GIT_HTTP_EXPORT_ALL": "1",
                "REMOTE_USER": "bot",
                "PATH_INFO": where.path,
                "QUERY_STRING": where.query,
                "REQUEST_METHOD": handler.command,
                "CONTENT_LENGTH": length,
                "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
                "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            },
            capture_output=True,
            check=True,
        )
        head, _, body = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().splitlines())
        handler.send_response(int(headers.pop("Status", "200")[:3]))
        for name, value in headers.items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)


@contextlib.contextmanager
def serve(folder: Path, token: str) -> Iterator[GitServer]:
    """A server until the block ends."""
    made = GitServer(folder, token)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made.answer(self)

        def do_POST(self) -> None:
            made.answer(self)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.shutdown()
            thread.join()
