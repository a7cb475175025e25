"""GitHub's REST API by the standard library alone: JSON over one connection that stays open.

PyGithub takes 0.5 s of CPU to import and requests 0.15, this 0.03; each job of a pull request asks
twice. Proxies and certificates are those of requests: HTTPS_PROXY and NO_PROXY, and
REQUESTS_CA_BUNDLE or else certifi's.
"""

from __future__ import annotations

import base64
import http.client
import ssl
import urllib.request
from http import HTTPStatus
from pathlib import Path
from urllib.parse import SplitResult, unquote, urljoin, urlsplit

import certifi
import msgspec

from dbtdeploy.base import json_codec
from dbtdeploy.base.settings import GitHubAccess
from dbtdeploy.github.api_errors import Refusal
from dbtdeploy.github.retry import TIMEOUT_SECONDS, USER_AGENT, answered, no_answer

REDIRECTS = 3
REDIRECTED = (301, 302, 307, 308)
"""GitHub: repeat the request, as it is, at the address named
(https://docs.github.com/rest/using-the-rest-api/best-practices-for-using-the-rest-api)."""


class Refused(Exception):
    """An answer that is not a success."""

    def __init__(self, refusal: Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


FAULTS = (Refused, OSError, http.client.HTTPException)
"""What a request can end with that is no answer of use."""


class Rest:
    """Sends requests to one GitHub; repeats nothing.

    Args:
        access: where GitHub is.
        token: what requests are signed with.
    """

    def __init__(self, access: GitHubAccess, token: str) -> None:
        self._base = access.api_url.rstrip("/")
        self._address = urlsplit(self._base)
        self._access = access
        self._headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {token}",
            "User-Agent": USER_AGENT,
            "X-GitHub-Api-Version": "2022-11-28",
        }
        self._connection: http.client.HTTPConnection | None = None
        self._through = ""

    def __enter__(self) -> Rest:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the connection go; the next request makes another."""
        if self._connection is not None:
            self._connection.close()
        self._connection = None

    def send(self, method: str, path: str, body: object = None) -> tuple[bytes, str]:
        """Send one request.

        Args:
            method: ``GET`` and so on.
            path: below the API's address, with a leading slash and the query.
            body: what is sent as JSON, if anything.

        Returns:
            The answer's body, and its ``Link`` header.

        Raises:
            Refused, OSError, HTTPException: see ``FAULTS``.
        """
        url = self._base + path
        for _ in range(REDIRECTS):
            status, headers, content = self._once(method, url, body)
            if status not in REDIRECTED:
                break
            url = self._redirected(status, url, headers.get("Location", ""))
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return content, headers.get("Link", "")
        # A wait may follow that outlasts the connection.
        self.close()
        raise Refused(answered(status, _json(content), dict(headers.items())))

    def _once(
        self, method: str, url: str, body: object
    ) -> tuple[int, http.client.HTTPMessage, bytes]:
        parts = urlsplit(url)
        target = parts._replace(scheme="", netloc="", fragment="").geturl() or "/"
        content = None if body is None else msgspec.json.encode(body)
        try:
            connection = self._connection = self._connection or self._connect()
            headers = {**self._headers, **({"Content-Type": "application/json"} if content else {})}
            connection.request(method, self._through + target, body=content, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        except (OSError, http.client.HTTPException):
            self.close()
            raise

    def _redirected(self, status: int, url: str, location: str) -> str:
        there = urljoin(url, location)
        if _origin(urlsplit(there)) != _origin(self._address):
            # The token is for this server alone.
            self.close()
            message = f"it redirected to {there}, which is another server"
            raise Refused(Refusal(status=status, message=message))
        return there

    def _connect(self) -> http.client.HTTPConnection:
        host, port = self._address.hostname or "", self._address.port
        encrypted = self._address.scheme == "https"
        proxy = _proxy(self._address)
        if proxy is None:
            return self._open(host, port, encrypted=encrypted)
        connection = self._open(proxy.hostname or "", proxy.port or 80, encrypted=encrypted)
        if encrypted:
            connection.set_tunnel(host, port, headers=_signed(proxy))
        else:
            # Without a tunnel a proxy wants the whole address.
            self._through = f"http://{self._address.netloc}"
            self._headers |= _signed(proxy)
        return connection

    def _open(self, host: str, port: int | None, *, encrypted: bool) -> http.client.HTTPConnection:
        if not encrypted:
            return http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
        trusted = self._access.ca_bundle or certifi.where()
        folder = Path(trusted).is_dir()
        context = ssl.create_default_context(
            cafile=None if folder else trusted, capath=trusted if folder else None
        )
        return http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=context)


def refused_by(fault: Exception) -> Refusal:
    """What a fault means."""
    return fault.refusal if isinstance(fault, Refused) else no_answer(fault)


def _proxy(address: SplitResult) -> SplitResult | None:
    proxies = urllib.request.getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if not proxy or urllib.request.proxy_bypass(address.netloc):
        return None
    return urlsplit(proxy if "://" in proxy else f"http://{proxy}")


def _origin(parts: SplitResult) -> tuple[str, str, int | None]:
    default = {"https": 443, "http": 80}.get(parts.scheme)
    return parts.scheme, parts.hostname or "", parts.port or default


def _signed(proxy: SplitResult) -> dict[str, str]:
    if proxy.username is None:
        return {}
    both = f"{unquote(proxy.username)}:{unquote(proxy.password or '')}"
    return {"Proxy-Authorization": f"Basic {base64.b64encode(both.encode()).decode()}"}


def _json(content: bytes) -> object:
    try:
        return json_codec.decode(content)
    except msgspec.DecodeError:
        return None
