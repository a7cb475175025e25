"""An artifact's bytes from GitHub's storage, through requests.

PyGithub refuses the addresses of that storage, which are not of github.com, and would read whatever
comes into memory whole. The address itself is the key: no token goes there.
"""

from __future__ import annotations

from http import HTTPStatus
from urllib.parse import urlsplit

import requests

import github
from dbtdeploy.base import settings
from dbtdeploy.github.pygithub_client import USER_AGENT, NotGitHub

CONNECT_SECONDS, READ_SECONDS = 5.0, 20.0

CHUNK_BYTES = 64 * 1024

HEADERS = {"User-Agent": USER_AGENT, "Accept-Encoding": "identity"}


def content(address: str, *, api_url: str, most_bytes: int) -> bytes | None:
    """What lies at an address that GitHub's API gave.

    Args:
        address: of https, or of the API's own host.
        api_url: the API's.
        most_bytes: to read.

    Returns:
        All of it; None where there is more.

    Raises:
        NotGitHub: the address is none of the web.
        github.GithubException: the storage refused.
        OSError: it gave no answer.
    """
    given, api = urlsplit(address), urlsplit(api_url)
    if given.scheme != "https" and (given.scheme, given.netloc) != (api.scheme, api.netloc):
        raise NotGitHub
    with requests.Session() as session:
        # Otherwise a password for that host in ~/.netrc is sent along.
        session.auth = _as_it_is
        session.verify = settings.ca_bundle("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or True
        with session.get(
            address,
            headers=HEADERS,
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            allow_redirects=False,
            stream=True,
        ) as answer:
            if answer.status_code != HTTPStatus.OK:
                raise github.GithubException(
                    answer.status_code, message="the storage of artifacts did not give it"
                )
            return _within(answer, most_bytes)


def _within(answer: requests.Response, most_bytes: int) -> bytes | None:
    found = bytearray()
    for chunk in answer.iter_content(CHUNK_BYTES):
        found += chunk
        if len(found) > most_bytes:
            return None
    return bytes(found)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
