"""JSON to somebody's address, through requests: again after faults that pass, within bounds."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

import requests

from dbtdeploy.base import certificates, errors, markdown, settings

CONNECT_SECONDS, READ_SECONDS = 5.0, 15.0

TRIES = 4
WAIT_SECONDS = 60.0
"""All waits for one receiver together."""

ANSWER_BYTES = 2_000
ANSWER_CHARS = 200
"""Of an answer, for the message."""

LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1"})

NOT_DONE = "The result stays what it was; nobody was told by this way."

PASSING = frozenset({408, 425, 429})
"""Beside 5xx."""


def post(
    url: str,
    body: bytes,
    *,
    headers: Mapping[str, str],
    receiver: str,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Post until it is taken, or no wait can mend it.

    A receiver may get the same twice, when its answer is lost: better that than not at all.

    Args:
        url: whoever knows it may post there, so no message names it.
        body: what is posted.
        headers: with the content's type.
        receiver: for messages, such as ``Slack``.
        sleep: waits so many seconds.

    Raises:
        NotificationFailed: it was refused, or there was no answer within the bounds above.
    """
    _check(url, receiver)
    waited = 0.0
    with requests.Session() as session:
        # Otherwise a password for that host in ~/.netrc is sent along.
        session.auth = _as_it_is
        session.verify = settings.ca_bundle("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE") or True
        for tried in range(TRIES):
            status, said, retry_after = _once(session, url, body, headers)
            if status is not None and HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
                return
            passing = status is None or status in PASSING or status >= 500  # noqa: PLR2004
            seconds = float(retry_after) if retry_after.isdecimal() else 2.0**tried
            if not passing or tried == TRIES - 1 or waited + seconds > WAIT_SECONDS:
                raise _failure(receiver, status, said)
            waited += seconds
            sleep(seconds)


def _once(
    session: requests.Session, url: str, body: bytes, headers: Mapping[str, str]
) -> tuple[int | None, str, str]:
    """Status, the answer's first words, and how long it asks to wait; no status without one."""
    try:
        with session.post(
            url,
            data=body,
            headers={"User-Agent": "dbt-deploy", **headers},
            timeout=(CONNECT_SECONDS, READ_SECONDS),
            # A redirected POST would become a GET, or take the body to another host.
            allow_redirects=False,
            stream=True,
        ) as answer:
            line = " ".join(markdown.clean(_beginning(answer)).split())
            retry_after = answer.headers.get("Retry-After", "").strip()
            return answer.status_code, markdown.shortened(line, ANSWER_CHARS), retry_after
    except (requests.RequestException, OSError, ValueError) as fault:
        # Its text may hold the address, and in it the secret.
        unknown = certificates.UNKNOWN.search(str(fault))
        return None, unknown[0] if unknown else type(fault).__name__, ""


def _beginning(answer: requests.Response) -> str:
    """The first bytes of an answer, however slowly they come."""
    first = b""
    end = time.monotonic() + READ_SECONDS
    for byte in answer.iter_content(1):
        first += byte
        if len(first) >= ANSWER_BYTES or time.monotonic() > end:
            break
    return first.decode("utf-8", "replace")


def _check(url: str, receiver: str) -> None:
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        parts, host = urlsplit(""), None
    encrypted = parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK)
    if not host or not encrypted:
        raise errors.NotificationFailed(
            f"The address of {receiver} does not begin with https:// and a host.",
            not_done=NOT_DONE,
            remedy="Copy the whole address from the receiver's own page into the secret.",
        )


def _failure(receiver: str, status: int | None, said: str) -> errors.NotificationFailed:
    if status is None:
        what = f"{receiver} did not answer ({said})."
        remedy = certificates.remedy(said, receiver) or (
            "Check that this machine reaches it, and that the address in the secret is right."
        )
    elif status in PASSING or status >= 500:  # noqa: PLR2004
        what = f"{receiver} answered {status}, {TRIES} times or for longer than this step waits."
        remedy = "If it lasts, look at the receiver's own status page."
    else:
        what = f"{receiver} answered {status}{f': {said}' if said else ''}."
        remedy = "Check that the address or key in the secret is right, and still in use there."
    return errors.NotificationFailed(what, not_done=NOT_DONE, remedy=remedy)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request
