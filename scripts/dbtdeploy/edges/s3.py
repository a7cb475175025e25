"""Amazon S3 and what speaks its protocol, by boto3.

Credentials are those of the settings, else of boto3's own chain (environment, profile, role).
Objects are asked for by name, so nothing is listed; ``s3:ListBucket`` is wanted all the same,
because without it S3 answers 403 instead of 404 for a key that is not there
(https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html). A policy may bind it to a
prefix: S3 takes the asked key as ``s3:prefix`` there (https://github.com/ceph/ceph/pull/68577).
"""

from __future__ import annotations

import gzip
import shutil
import time
import zlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, cast

import boto3
from botocore import exceptions
from botocore.config import Config

from dbtdeploy import errors, state
from dbtdeploy.edges import s3_failures
from dbtdeploy.settings import StoreAccess

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import GetObjectOutputTypeDef

ATTEMPTS = 5
"""Of each request, with botocore's standard backoff (up to 1, 2, 4 and 8 s)."""

DOWNLOADS = 3
"""Of an object whose body breaks off, which botocore does not try again."""

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


class _BrokenOff(Exception):
    """A body that ended before its length."""


def fetch(location: str, destination: Path, access: StoreAccess) -> state.Fetched:
    """Download the artifacts that are there.

    Args:
        location: ``s3://bucket/prefix``, the prefix may be empty.
        destination: an existing folder; each artifact appears in it whole or not at all.
        access: region and endpoint, where they are not boto3's own.

    Returns:
        What came. An artifact beside the manifest that S3 refuses counts as ``denied``: to a role
        without s3:ListBucket a missing one looks the same.

    Raises:
        InvalidInput: location, region or endpoint cannot be understood.
        StateAccessDenied, StateBucketMissing, StateWrongRegion, StateCredentials,
        StateUnreachable: see ``errors.py``.
        StateCorrupt: an object does not fit its checksum or its Content-Encoding.
    """
    bucket, prefix = _split(location)
    store = _Store(bucket, access)
    names, denied = [], []
    for name in state.ARTIFACTS:
        key = f"{prefix}/{name}" if prefix else name
        try:
            if store.download(key, destination / name):
                names.append(name)
        except errors.StateAccessDenied:
            if state.MANIFEST not in names:
                raise
            denied.append(name)
    return state.Fetched(names=tuple(names), denied=tuple(denied))


def _split(location: str) -> tuple[str, str]:
    bucket, _, prefix = location.removeprefix("s3://").partition("/")
    if not bucket:
        raise s3_failures.invalid(f"{location} names no bucket")
    return bucket, prefix.strip("/")


class _Store:
    """One bucket. Connects at the first download."""

    def __init__(self, bucket: str, access: StoreAccess) -> None:
        self._bucket = bucket
        self._access = access
        self._client: S3Client | None = None
        self._failures = s3_failures.Failures(bucket=bucket, access=access, attempts=ATTEMPTS)

    def download(self, key: str, path: Path, *, attempt: int = 1) -> bool:
        """Fetch one object into a file; False where there is no such object."""
        try:
            found = self._get(key)
            if found is None:
                return False
            partial = path.with_name(path.name + ".partial")
            with partial.open("wb") as file:
                self._write(found, file, key)
            partial.replace(path)
        except _BrokenOff:
            if attempt == DOWNLOADS:
                raise self._failures.broken_off(key, DOWNLOADS) from None
            time.sleep(0.5 * attempt)
            return self.download(key, path, attempt=attempt + 1)
        return True

    def _get(self, key: str) -> GetObjectOutputTypeDef | None:
        try:
            self._client = self._client or self._connect()
            return self._client.get_object(Bucket=self._bucket, Key=key)
        except exceptions.ClientError as cause:
            if s3_failures.is_absent(cause):
                return None
            raise self._failures.of(cause, key) from None
        except (exceptions.BotoCoreError, RecursionError) as cause:
            # What botocore 1.44 makes of a server that redirects its question for the region too,
            # as one does that sends http:// to https://. It wraps the error or not, by the depth
            # at which the stack ends.
            wrapped = isinstance(cause, exceptions.BotoCoreError) and cause.kwargs.get("error")
            if isinstance(wrapped or cause, RecursionError):
                raise self._failures.redirected() from None
            raise self._failures.of(cause, key) from None

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
            )
        except ValueError as cause:
            # What boto3 says of an endpoint that is no URL.
            raise s3_failures.invalid(str(cause)) from None

    def _write(self, found: GetObjectOutputTypeDef, file: IO[bytes], key: str) -> None:
        """Write the body, unpacked; botocore checks its length and checksum as it is read."""
        body = cast("IO[bytes]", found["Body"])
        codings = {c.strip() for c in found.get("ContentEncoding", "").lower().split(",")}
        # "aws-chunked" is how the upload was signed; some stores keep it, the body is plain.
        codings -= {"", "identity", "aws-chunked"}
        if codings - {"gzip"}:
            said = f"is stored as {', '.join(sorted(codings))}, which dbt-deploy cannot unpack"
            raise self._failures.damaged(key, said)
        try:
            if codings:
                with gzip.GzipFile(fileobj=body) as unpacked:
                    shutil.copyfileobj(unpacked, file)
            else:
                shutil.copyfileobj(body, file)
        except BROKEN_OFF:
            raise _BrokenOff from None
        except (gzip.BadGzipFile, EOFError, zlib.error):
            said = "says that it is gzip, and is not or is cut short"
            raise self._failures.damaged(key, said) from None
        except exceptions.BotoCoreError as cause:
            raise self._failures.of(cause, key) from None
