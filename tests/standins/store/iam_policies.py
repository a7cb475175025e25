"""IAM's judgement of requests, in the parts that moto passes over.

moto checks actions and resources, but allows where a Condition is not met, and answers 404 to who
may not list. This is a proxy in front of it that judges by the policy's Allow statements, with
``StringLike`` on ``s3:prefix``, and hides a missing key from who may not list it.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator
from fnmatch import fnmatchcase
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from standins.store import wire

FIXTURES = Path(__file__).parents[2] / "fixtures"
ACTIONS = {"GET": "s3:GetObject", "PUT": "s3:PutObject", "DELETE": "s3:DeleteObject"}
DENIED = wire.s3_error(HTTPStatus.FORBIDDEN, "AccessDenied", "Access Denied")

GITHUB = "token.actions.githubusercontent.com"
TESTS: dict[str, Callable[[str | None, list[str]], bool]] = {
    "StringEquals": lambda given, wanted: given in wanted,
    "StringLike": lambda given, wanted: (
        given is not None and any(fnmatchcase(given, pattern) for pattern in wanted)
    ),
}

Policy = dict[str, Any]


def policy_of(role: str, bucket: str) -> Policy:
    """``pull-request`` or ``deploy``: the policy that docs/security.md shows, for a bucket."""
    text = (FIXTURES / f"policy-{role}.json").read_text(encoding="utf-8")
    document: Policy = json.loads(text.replace("my-bucket", bucket))
    return document


def allows(policy: Policy, action: str, resource: str, prefix: str | None = None) -> bool:
    """Whether some statement allows it. A condition is met only where there is a prefix."""
    return any(
        action in _all(statement["Action"])
        and any(fnmatchcase(resource, pattern) for pattern in _all(statement["Resource"]))
        and _meets(statement.get("Condition"), prefix)
        for statement in policy["Statement"]
    )


def trusts(policy: Policy, claims: dict[str, str]) -> bool:
    """Whether a role's trust policy lets in a job whose OpenID Connect token says this."""
    return any(
        statement["Action"] == "sts:AssumeRoleWithWebIdentity"
        and all(
            TESTS[operator](claims.get(key.removeprefix(f"{GITHUB}:")), _all(wanted))
            for operator, conditions in statement["Condition"].items()
            for key, wanted in conditions.items()
        )
        for statement in policy["Statement"]
    )


@contextlib.contextmanager
def judged_by(policy: Policy, upstream: str) -> Iterator[wire.Server]:
    """A server that answers as ``upstream`` does to who has this policy and no other."""
    with wire.serve(_judge(policy, upstream)) as server:
        yield server


def _judge(policy: Policy, upstream: str) -> Callable[[wire.Request], wire.Answer]:
    def answer(request: wire.Request) -> wire.Answer:
        url = urlsplit(request.path)
        bucket, _, key = unquote(url.path).lstrip("/").partition("/")
        arn = f"arn:aws:s3:::{bucket}"
        if not key:
            (prefix,) = parse_qs(url.query).get("prefix", [""])
            listed = allows(policy, "s3:ListBucket", arn, prefix)
            return wire.forward(request, upstream) if listed else DENIED
        if not allows(policy, ACTIONS[request.method], f"{arn}/{key}"):
            return DENIED
        given = wire.forward(request, upstream)
        missing = request.method == "GET" and given.status == HTTPStatus.NOT_FOUND
        return DENIED if missing and not allows(policy, "s3:ListBucket", arn, key) else given

    return answer


def _all(one_or_more: str | list[str]) -> list[str]:
    return [one_or_more] if isinstance(one_or_more, str) else one_or_more


def _meets(condition: dict[str, Any] | None, prefix: str | None) -> bool:
    if condition is None:
        return True
    assert set(condition) == {"StringLike"}, condition
    assert set(condition["StringLike"]) == {"s3:prefix"}, condition
    return TESTS["StringLike"](prefix, _all(condition["StringLike"]["s3:prefix"]))
