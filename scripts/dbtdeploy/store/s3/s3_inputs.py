"""Inputs about S3 -> bucket and prefix, and what every request or write says. Pure."""

from __future__ import annotations

import re
from typing import Literal, TypedDict, cast

from dbtdeploy.base import errors
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store.s3 import s3_errors

ALLOWED = {
    "sse": ("AES256", "aws:kms", "aws:kms:dsse"),
    "request_payer": ("requester",),
    "acl": (
        *("private", "public-read", "public-read-write", "authenticated-read"),
        *("aws-exec-read", "bucket-owner-read", "bucket-owner-full-control"),
    ),
}
SCHEME = "s3://"
ACCESS_POINT = re.compile(r"(arn:[a-z0-9-]+:s3:[a-z0-9-]+:\d{12}:accesspoint[:/][^:/]+)(?:/(.*))?")
"""Of one region; boto3 takes its ARN in place of a bucket's name."""
ACCOUNT = re.compile(r"\d{12}")


class Demanded(TypedDict, total=False):
    """Parameters of every request."""

    RequestPayer: Literal["requester"]
    ExpectedBucketOwner: str


class WrittenAs(TypedDict, total=False):
    """Parameters of every write."""

    ServerSideEncryption: Literal["AES256", "aws:kms", "aws:kms:dsse"]
    SSEKMSKeyId: str
    ACL: Literal["bucket-owner-full-control"]


def parsed(location: str) -> tuple[str, str]:
    """The bucket, or an access point's ARN, and the prefix, with a slash at its end or empty.

    Raises:
        InvalidInput: no bucket is named, or the prefix has empty parts, ``.`` or ``..``, which a
            key may have and which clients and proxies read as another key.
    """
    rest = location.removeprefix(SCHEME)
    if rest.startswith("arn:"):
        point = ACCESS_POINT.fullmatch(rest)
        if point is None:
            raise _unknown_arn(location)
        bucket, prefix = point[1], point[2] or ""
    else:
        bucket, _, prefix = rest.partition("/")
    if not bucket:
        raise s3_errors.invalid(f"{location} names no bucket")
    prefix = prefix.removesuffix("/")
    if prefix and {"", ".", ".."} & set(prefix.split("/")):
        raise s3_errors.invalid(f"{location} has an empty part, `.` or `..` in its prefix")
    return bucket, f"{prefix}/" if prefix else ""


def of_requests(access: StoreAccess) -> Demanded:
    """What every request says, by the inputs.

    Raises:
        InvalidInput: an input that S3 knows no such value of; the message names it.
    """
    owner, payer = access.expected_bucket_owner, access.request_payer
    if owner is not None and not ACCOUNT.fullmatch(owner):
        raise _invalid("expected_bucket_owner", owner, "an AWS account's 12 digits")
    _check("request_payer", payer)
    asked: Demanded = {}
    if payer:
        asked["RequestPayer"] = "requester"
    if owner:
        asked["ExpectedBucketOwner"] = owner
    return asked


def of_writes(access: StoreAccess) -> WrittenAs:
    """What every write says, by the inputs.

    Raises:
        InvalidInput: an input that S3 knows no such value of; the message names it.
    """
    _check("sse", access.sse)
    _check("acl", access.acl)
    if access.sse_kms_key_id and access.sse not in ("aws:kms", "aws:kms:dsse"):
        raise _invalid("sse", access.sse or "", "aws:kms beside `aws-sse-kms-key-id`")
    asked = {
        "ServerSideEncryption": access.sse,
        "SSEKMSKeyId": access.sse_kms_key_id,
        "ACL": access.acl,
    }
    return cast("WrittenAs", {name: value for name, value in asked.items() if value})


def _check(field: str, value: str | None) -> None:
    if value is not None and value not in ALLOWED[field]:
        raise _invalid(field, value, " or ".join(ALLOWED[field]))


def _invalid(field: str, value: str, use: str) -> errors.InvalidInput:
    return errors.InvalidInput(
        f"The input `aws-{field.replace('_', '-')}` is {value!r}.",
        not_done="The store was not asked.",
        remedy=f"Use {use}, or leave it empty.",
    )


def _unknown_arn(location: str) -> errors.InvalidInput:
    return errors.InvalidInput(
        f"{location} is no ARN of an access point in one region.",
        not_done="The store was not asked.",
        remedy="Write the input `state` as s3://bucket/prefix, as s3:// and an access point's "
        "alias, or as s3://arn:aws:s3:region:account:accesspoint/name/prefix. Multi-region access "
        "points, Outposts and Object Lambda are not supported.",
    )
