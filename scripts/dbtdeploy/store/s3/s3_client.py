"""Amazon S3 and what speaks its protocol, through boto3.

Credentials are those of the settings, else of boto3's own chain (environment, profile, role).
``s3:ListBucket`` is wanted for reading too, because without it S3 answers 403 instead of 404 for a
key that is not there (https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). A policy
may bind it to a prefix: S3 takes the asked key as ``s3:prefix`` there
(https://github.com/ceph/ceph/pull/68577).

Conditional writes: https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html.
"""

from __future__ import annotations

import base64
import contextlib
import email.utils
import hashlib
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, TypeVar, cast

import boto3
from botocore import exceptions
from botocore.config import Config

from dbtdeploy.base import settings
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store.object_store import ABSENT, LARGEST, Conflict, ListedObject, Stored
from dbtdeploy.store.s3 import s3_errors, s3_inputs, s3_operations
from dbtdeploy.store.s3.s3_operations import DELETE, LIST, READ, WRITE, WRITE_IF, Operation

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef, PutObjectRequestTypeDef

ATTEMPTS = 5
"""Of each request, with botocore's standard backoff (up to 1, 2, 4 and 8 s)."""

DOWNLOADS = 3
"""Of an object whose body breaks off, which botocore does not try again."""

PAUSES = (0.2, 0.5, 1, 2)
"""Seconds between tries of a write that S3 answered with 409, which botocore gives up on."""

CLIENT = Config(
    connect_timeout=10,
    read_timeout=30,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
)

BROKEN_OFF = (
    exceptions.ConnectionClosedError,
    exceptions.IncompleteReadError,
    exceptions.ReadTimeoutError,
    exceptions.ResponseStreamingError,
)

T = TypeVar("T")


class _BrokenOff(Exception):
    """A body that ended before its length."""


class _TooLarge(Exception):
    """A body of more bytes than any artifact has."""


class Bucket:
    """A prefix of a bucket as a store. Connects at the first request; threads may share it."""

    def __init__(self, location: str, access: StoreAccess) -> None:
        bucket, prefix = s3_inputs.parsed(location)
        self._bucket = bucket
        self._prefix = prefix
        self._access = access
        self._demanded = s3_inputs.of_requests(access)
        self._written_as = s3_inputs.of_writes(access)
        self._client: S3Client | None = None
        self._connecting = threading.Lock()
        self._failures = s3_errors.Failures(
            bucket=bucket, prefix=self._prefix, access=access, attempts=ATTEMPTS
        )
        # Ceph's radosgw 16 compares the quotes too, and keeps ETags without.
        self._bare_etags = False

    @property
    def location(self) -> str:
        """``s3://bucket/prefix``."""
        return f"s3://{self._bucket}/{self._prefix}".rstrip("/")

    def address(self, key: str) -> str:
        """An object's full name, for messages."""
        return f"s3://{self._bucket}/{self._prefix}{key}"

    def get(self, key: str) -> Stored | None:
        """Read one object, unpacked if it is stored with ``Content-Encoding: gzip``.

        Raises:
            InvalidInput: location, region or endpoint cannot be understood.
            StateAccessDenied, StateBucketMissing, StateWrongRegion, StateCredentials,
            StateUnreachable: see ``errors.py``.
            StateCorrupt: it does not fit its checksum or its Content-Encoding.
        """
        for attempt in range(1, DOWNLOADS + 1):
            with contextlib.suppress(_BrokenOff):
                return self._get(key)
            if attempt < DOWNLOADS:
                time.sleep(0.5 * attempt)
        raise self._failures.broken_off(key, DOWNLOADS)

    def put(
        self,
        key: str,
        body: bytes,
        *,
        only_if: str | None = None,
        content_type: str = "application/json",
    ) -> str:
        """Write one object; a write that S3 calls busy is tried again a bounded number of times.

        Raises:
            Conflict: the condition does not hold, and what is there is not ``body``.
            ConditionsIgnored: the store does not know conditions, or refuses one that holds.
            InvalidInput and the failures of ``get``.
        """
        said = {
            **self._demanded,
            **self._written_as,
            "Bucket": self._bucket,
            "Key": self._prefix + key,
            "Body": body,
            "ContentType": content_type,
            # Given, for botocore's own way of adding one (aws-chunked) is unknown to many stores.
            "ChecksumSHA256": base64.b64encode(hashlib.sha256(body).digest()).decode(),
        }
        asked = cast("PutObjectRequestTypeDef", said)
        if only_if == ABSENT:
            asked["IfNoneMatch"] = "*"
        elif only_if is not None:
            asked["IfMatch"] = only_if.strip('"') if self._bare_etags else only_if
        operation = WRITE if only_if is None else WRITE_IF
        try:
            return self._insist(lambda s3: s3.put_object(**asked)["ETag"], operation, key)
        except s3_operations.Busy as busy:
            raise self._failures.of(busy.cause, operation, key) from None
        except Conflict:
            return self._settled(key, body, only_if, content_type)

    def delete(self, key: str) -> None:
        """Remove one object; no error where there is none. Fails as ``get`` does."""
        full = self._prefix + key
        with contextlib.suppress(s3_operations.Absent):
            self._ask(
                lambda s3: s3.delete_object(Bucket=self._bucket, Key=full, **self._demanded),
                DELETE,
                key,
            )

    def list(self, prefix: str) -> Iterator[ListedObject]:
        """All objects whose key begins so, by key; every page is read. Fails as ``get`` does."""
        full = self._prefix + prefix
        pages = self._ask(
            lambda s3: iter(
                s3.get_paginator("list_objects_v2").paginate(
                    Bucket=self._bucket, Prefix=full, **self._demanded
                )
            ),
            LIST,
            prefix,
        )
        while page := self._ask(lambda _: next(pages, None), LIST, prefix):
            for item in page.get("Contents", ()):
                yield ListedObject(
                    key=item["Key"][len(self._prefix) :],
                    size=item["Size"],
                    modified=item["LastModified"],
                )

    def _insist(self, send: Callable[[S3Client], T], operation: Operation, key: str) -> T:
        for pause in PAUSES:
            with contextlib.suppress(s3_operations.Busy):
                return self._ask(send, operation, key)
            time.sleep(pause)
        return self._ask(send, operation, key)

    def _settled(self, key: str, body: bytes, only_if: str | None, content_type: str) -> str:
        """What a refused condition means, by what is there now.

        The answer to our own write may have been lost, and botocore's next try been refused.
        """
        there = self.get(key)
        if there is not None and there.body == body:
            return there.etag
        if there is None or there.etag != only_if:
            raise Conflict(key)
        if self._bare_etags:
            said = "refused a condition that held"
            raise self._failures.refuses_conditions(key, said)
        self._bare_etags = True
        return self.put(key, body, only_if=only_if, content_type=content_type)

    def _get(self, key: str) -> Stored | None:
        full = self._prefix + key
        try:
            found = self._ask(
                lambda s3: s3.get_object(Bucket=self._bucket, Key=full, **self._demanded), READ, key
            )
        except s3_operations.Absent:
            return None
        if found.get("ContentLength", 0) > LARGEST:
            said = f"is larger than the {LARGEST:,} bytes that dbt-deploy reads"
            raise self._failures.damaged(key, said)
        try:
            # botocore checks the length, and the checksum that S3 keeps.
            body = found["Body"].read()
        except BROKEN_OFF:
            raise _BrokenOff from None
        except exceptions.BotoCoreError as cause:
            raise self._failures.of(cause, READ, key) from None
        modified, now = _moments(found)
        body = self._unpacked(body, found.get("ContentEncoding", ""), key)
        return Stored(body=body, etag=found.get("ETag", ""), modified=modified, now=now)

    def _unpacked(self, body: bytes, encoding: str, key: str) -> bytes:
        # "aws-chunked" is how the upload was signed; some stores keep it, the body is plain.
        codings = {c.strip() for c in encoding.lower().split(",")} - {"", "identity", "aws-chunked"}
        if not codings:
            return body
        if codings != {"gzip"}:
            said = f"is stored as {', '.join(sorted(codings))}, which dbt-deploy cannot unpack"
            raise self._failures.damaged(key, said)
        try:
            return _gunzipped(body)
        except _TooLarge:
            said = f"unpacks to more than the {LARGEST:,} bytes that dbt-deploy reads"
            raise self._failures.damaged(key, said) from None
        except (EOFError, zlib.error):
            said = "says that it is gzip, and is not or is cut short"
            raise self._failures.damaged(key, said) from None

    def _ask(self, send: Callable[[S3Client], T], operation: Operation, key: str) -> T:
        try:
            with self._connecting:
                self._client = self._client or self._connect()
            return send(self._client)
        except exceptions.ClientError as cause:
            meaning = s3_operations.meaning(cause, operation)
            if meaning is not None:
                raise meaning from None
            raise self._failures.of(cause, operation, key) from None
        except (exceptions.BotoCoreError, RecursionError) as cause:
            # What botocore 1.44 makes of a server that redirects its question for the region too,
            # as one does that sends http:// to https://. It wraps the error or not, by the depth
            # at which the stack ends.
            wrapped = isinstance(cause, exceptions.BotoCoreError) and cause.kwargs.get("error")
            if isinstance(wrapped or cause, RecursionError):
                raise self._failures.redirected(operation) from None
            raise self._failures.of(cause, operation, key) from None

    def _connect(self) -> S3Client:
        try:
            return boto3.Session().client(
                "s3",
                region_name=self._access.region,
                endpoint_url=self._access.endpoint_url,
                aws_access_key_id=self._access.access_key_id,
                aws_secret_access_key=self._access.secret_access_key,
                aws_session_token=self._access.session_token,
                config=CLIENT,
                verify=settings.ca_bundle("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"),
            )
        except ValueError as cause:
            # What botocore says of an endpoint that is no URL.
            raise s3_errors.invalid(str(cause)) from None


def _gunzipped(body: bytes) -> bytes:
    """All members of a gzip file, one after the other; stops as soon as they are too large."""
    parts, size = [], 0
    while body:
        member = zlib.decompressobj(wbits=31)
        part = member.decompress(body, LARGEST + 1 - size)
        size += len(part)
        if size > LARGEST:
            raise _TooLarge
        if not member.eof:
            raise EOFError
        parts.append(part)
        body = member.unused_data.lstrip(b"\0")
    return b"".join(parts)


def _moments(found: GetObjectOutputTypeDef) -> tuple[datetime, datetime]:
    """When an object was written, and what the store's clock said as it answered.

    A store that leaves one out gets the other for it: an age of nothing, so that nothing expires by
    a guess of ours.
    """
    said = found["ResponseMetadata"]["HTTPHeaders"].get("date", "")
    modified: datetime | None = found.get("LastModified")
    try:
        # Written without a zone it is UTC, as HTTP's dates are.
        now = email.utils.parsedate_to_datetime(said)
        now = now if now.tzinfo else now.replace(tzinfo=timezone.utc)
    except (TypeError, ValueError):
        now = modified or datetime.now(timezone.utc)
    return modified or now, now
