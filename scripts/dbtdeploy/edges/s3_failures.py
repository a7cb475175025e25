"""What S3's refusals and silences mean, in this project's own failures.

Which answer stands for what: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
No text of a request is quoted, and of an address neither user name nor password.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import TypeVar
from urllib.parse import urlsplit

from botocore import exceptions

from dbtdeploy import errors, state
from dbtdeploy.settings import StoreAccess

ABSENT = "NoSuchKey"
"""A bare 404 is not enough: any web server at a mistyped endpoint gives one."""

CREDENTIALS = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "InvalidToken",
    "RequestExpired",
    "RequestTimeTooSkewed",
    "SignatureDoesNotMatch",
    "TokenRefreshRequired",
    "UnrecognizedClientException",
}
REDIRECTS = (HTTPStatus.MOVED_PERMANENTLY, HTTPStatus.TEMPORARY_REDIRECT)
OTHER_REGION = {
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "PermanentRedirect",
}
NO_VALID_KEYS = (
    exceptions.CredentialRetrievalError,
    exceptions.MetadataRetrievalError,
    exceptions.NoAuthTokenError,
    exceptions.NoCredentialsError,
    exceptions.PartialCredentialsError,
    exceptions.ProfileNotFound,
    exceptions.SSOError,
    exceptions.TokenRetrievalError,
)
NOT_UNDERSTOOD = (
    exceptions.ConfigParseError,
    exceptions.EndpointProviderError,
    exceptions.InvalidConfigError,
    exceptions.InvalidEndpointConfigurationError,
    exceptions.ParamValidationError,
    exceptions.ValidationError,
)
LONGEST_QUOTE = 300

Failed = TypeVar("Failed", bound=errors.DbtDeployError)


def is_absent(cause: exceptions.ClientError) -> bool:
    """Whether S3 says that there is no such object, and nothing else is wrong."""
    return cause.operation_name == "GetObject" and _code(cause) == ABSENT


def invalid(said: str) -> errors.InvalidInput:
    """An input about the store that cannot be used."""
    return errors.InvalidInput(
        f"The inputs `state`, `aws-region` and `aws-endpoint-url` do not fit: {_quote(said)}.",
        not_done=state.NOTHING_STARTED,
        remedy="Write `state` as s3://bucket/prefix, `aws-region` as eu-central-1 and "
        "`aws-endpoint-url` as https://host.",
    )


@dataclass(frozen=True, kw_only=True)
class Failures:
    """The failures of one bucket.

    ``attempts`` is how often a request was sent at most, for the message.
    """

    bucket: str
    access: StoreAccess
    attempts: int

    def of(self, cause: Exception, key: str) -> errors.DbtDeployError:
        """The failure that one of boto3's exceptions stands for, met while asking for ``key``."""
        if isinstance(cause, exceptions.ClientError):
            return self._answered(cause, key)
        if isinstance(cause, exceptions.FlexibleChecksumError):
            return self.damaged(key, "does not fit the checksum that S3 keeps of it")
        if isinstance(cause, NO_VALID_KEYS):
            return self._no_keys(type(cause).__name__)
        if isinstance(cause, NOT_UNDERSTOOD):
            return invalid(str(cause))
        return self._silent(type(cause).__name__)

    def damaged(self, key: str, said: str) -> errors.StateCorrupt:
        """An object that cannot be what production wrote."""
        return _failure(
            errors.StateCorrupt,
            f"{self._name(key)} {said}.",
            "Upload production's artifacts again, then run this job again.",
        )

    def broken_off(self, key: str, times: int) -> errors.StateUnreachable:
        """An object whose body did not come whole."""
        return _failure(
            errors.StateUnreachable,
            f"{self._name(key)} broke off {times} times while it was downloaded.",
            "Run the job again; if it stays so, look at the network between runner and store.",
        )

    def _answered(self, cause: exceptions.ClientError, key: str) -> errors.DbtDeployError:
        code, status = _code(cause), cause.response["ResponseMetadata"].get("HTTPStatusCode", 0)
        if code in CREDENTIALS or cause.operation_name != "GetObject":
            # Another operation is boto3 fetching credentials, as AssumeRoleWithWebIdentity.
            return self._no_keys(f"{cause.operation_name} was answered with {code}")
        if code == "NoSuchBucket":
            return _failure(
                errors.StateBucketMissing,
                f"There is no bucket {self.bucket} {self._where()}.",
                "Mend the bucket's name in the input `state`, or create the bucket.",
            )
        if code in OTHER_REGION or status in REDIRECTS:
            return self._other_region(cause)
        if code == "InvalidBucketName":
            return invalid(f"{self.bucket!r} cannot be the name of a bucket")
        if status == HTTPStatus.FORBIDDEN:
            return self._denied(cause, key)
        return self._silent(f"{code}, HTTP {status}")

    def _denied(self, cause: exceptions.ClientError, key: str) -> errors.StateAccessDenied:
        folder = key.rpartition("/")[0]
        objects = f"{folder}/*" if folder else "*"
        return _failure(
            errors.StateAccessDenied,
            f"S3 refused {self._name(key)}: {_code(cause)}, {_message(cause)}.",
            f"Give this job's role s3:GetObject on arn:aws:s3:::{self.bucket}/{objects} and "
            f"s3:ListBucket on arn:aws:s3:::{self.bucket}. Without s3:ListBucket S3 answers 403 "
            "also for an object that is not there, so a first run cannot be told from a missing "
            "right. If the bucket is encrypted with a KMS key, the role needs kms:Decrypt on it.",
        )

    def _other_region(self, cause: exceptions.ClientError) -> errors.StateWrongRegion:
        headers = cause.response["ResponseMetadata"].get("HTTPHeaders", {})
        told: Mapping[str, object] = cause.response["Error"]
        region = _quote(headers.get("x-amz-bucket-region") or str(told.get("Region", "")))
        if not region:
            return self.redirected()
        asked = self.access.region or "the default region"
        return _failure(
            errors.StateWrongRegion,
            f"The bucket {self.bucket} is in {region}, not in {asked}.",
            f"Set the input `aws-region` to {region}.",
        )

    def redirected(self) -> errors.StateWrongRegion:
        """The store points elsewhere and names no region."""
        return _failure(
            errors.StateWrongRegion,
            f"The store {self._where()} redirects requests for the bucket {self.bucket} to "
            "another place, and names no region.",
            "Set the input `aws-region` to the bucket's region; if `aws-endpoint-url` is set, "
            "write it as the store's own address, with https:// where it wants that.",
        )

    def _no_keys(self, why: str) -> errors.StateCredentials:
        return _failure(
            errors.StateCredentials,
            f"There are no valid credentials for {self.bucket}: {_quote(why)}.",
            "Set the input `aws-role` to a role that trusts this repository (OIDC), or give the "
            "step AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN); renew them "
            "if they have expired.",
        )

    def _silent(self, why: str) -> errors.StateUnreachable:
        return _failure(
            errors.StateUnreachable,
            f"The store {self._where()} gave no usable answer ({_quote(why)}), asked up to "
            f"{self.attempts} times.",
            "Check the inputs `aws-endpoint-url` and `aws-region` and the network, or run the job "
            "again later.",
        )

    def _name(self, key: str) -> str:
        return f"s3://{self.bucket}/{key}"

    def _where(self) -> str:
        if self.access.endpoint_url:
            # A user name and password in the address stay out of the message.
            host = urlsplit(self.access.endpoint_url).netloc.rpartition("@")[2]
            return f"at {host}"
        return f"in {self.access.region}" if self.access.region else "in the default region"


def _failure(kind: Callable[..., Failed], what: str, remedy: str) -> Failed:
    return kind(
        what,
        not_done=f"{state.NOTHING_STARTED} This was not taken for a first run.",
        remedy=remedy,
    )


def _code(cause: exceptions.ClientError) -> str:
    return _quote(cause.response["Error"].get("Code", "no code"))


def _message(cause: exceptions.ClientError) -> str:
    return _quote(cause.response["Error"].get("Message", "")).rstrip(".") or "without a reason"


def _quote(text: str) -> str:
    """Foreign text on one line, short, without the user name and password of an address."""
    bare = re.sub(r"//[^/\s@]*@", "//", text)
    return " ".join(bare.split())[:LONGEST_QUOTE]
