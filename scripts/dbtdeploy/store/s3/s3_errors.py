"""What S3's refusals and silences mean, in this project's own failures.

Which answer stands for what: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html.
No text of a request is quoted, and of an address neither user name nor password.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlsplit

from botocore import exceptions
from msgspec import Struct

from dbtdeploy.base import certificates, errors
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store.s3.s3_operations import (
    LIST,
    NAMES,
    READ,
    WRITE,
    WRITE_IF,
    Operation,
    code_of,
    status_of,
)

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
WORDS: Mapping[type[Exception], str] = {exceptions.NoCredentialsError: "none were found"}
"""Where the name of the exception says less than words."""
NOT_UNDERSTOOD = (
    exceptions.ConfigParseError,
    exceptions.EndpointProviderError,
    exceptions.InvalidConfigError,
    exceptions.InvalidEndpointConfigurationError,
    exceptions.ParamValidationError,
    exceptions.ValidationError,
)
LONGEST_QUOTE = 300


def invalid(said: str) -> errors.InvalidInput:
    """An input about the store that cannot be used."""
    return errors.InvalidInput(
        f"The inputs `state`, `aws-region` and `aws-endpoint-url` do not fit: {_quote(said)}.",
        not_done="The store was not asked.",
        remedy="Write `state` as s3://bucket/prefix, `aws-region` as eu-central-1 and "
        "`aws-endpoint-url` as https://host.",
    )


class Failures(Struct, frozen=True, kw_only=True):
    """The failures of one store in a bucket. Keys are relative to ``prefix``.

    ``attempts`` is how often a request was sent at most, for the message.
    """

    bucket: str
    prefix: str
    access: StoreAccess
    attempts: int

    def of(self, cause: Exception, operation: Operation, key: str) -> errors.DbtDeployError:
        """The failure that one of boto3's exceptions stands for."""
        if isinstance(cause, exceptions.ClientError):
            return self._answered(cause, operation, key)
        if isinstance(cause, exceptions.FlexibleChecksumError):
            return self.damaged(key, "does not fit the checksum that S3 keeps of it")
        if isinstance(cause, NO_VALID_KEYS):
            return self._no_keys(operation, WORDS.get(type(cause), type(cause).__name__))
        if isinstance(cause, NOT_UNDERSTOOD):
            return invalid(str(cause))
        unknown = certificates.UNKNOWN.search(str(cause))
        return self._silent(operation, unknown[0] if unknown else type(cause).__name__)

    def damaged(self, key: str, said: str) -> errors.StateCorrupt:
        """An object that cannot be what production wrote."""
        return errors.StateCorrupt(
            f"{self._name(key)} {said}.",
            not_done="It was not used.",
            remedy="Upload production's artifacts again, then run this job again.",
        )

    def broken_off(self, key: str, times: int) -> errors.StateUnreachable:
        """An object whose body did not come whole."""
        return errors.StateUnreachable(
            f"{self._name(key)} broke off {times} times while it was downloaded.",
            not_done=READ.unanswered,
            remedy="Run the job again; if it stays so, look at the network between runner and "
            "store.",
        )

    def refuses_conditions(self, key: str, said: str) -> errors.ConditionsIgnored:
        """A store whose conditional writes cannot be used."""
        return errors.ConditionsIgnored(
            f"The store {self._where()} {said} when asked to write {self._name(key)} under a "
            "condition (If-Match or If-None-Match).",
            not_done=WRITE.refused,
            remedy="dbt-deploy locks by conditional writes: use a store that knows them, such as "
            "Amazon S3, MinIO, Cloudflare R2 or Ceph, in a version that does, or a folder.",
        )

    def redirected(self, operation: Operation) -> errors.StateWrongRegion:
        """The store points elsewhere and names no region."""
        return errors.StateWrongRegion(
            f"The store {self._where()} redirects requests for the bucket {self.bucket} to "
            "another place, and names no region.",
            not_done=operation.refused,
            remedy="Set the input `aws-region` to the bucket's region; if `aws-endpoint-url` is "
            "set, write it as the store's own address, with https:// where it wants that.",
        )

    def _answered(  # noqa: PLR0911 - one line per answer
        self, cause: exceptions.ClientError, operation: Operation, key: str
    ) -> errors.DbtDeployError:
        code, status = _quote(code_of(cause)), status_of(cause)
        if code in CREDENTIALS or cause.operation_name not in NAMES:
            # Another operation is boto3 fetching credentials, as AssumeRoleWithWebIdentity.
            return self._no_keys(operation, f"{cause.operation_name} was answered with {code}")
        if code == "InvalidBucketName":
            return invalid(f"{self.bucket!r} cannot be the name of a bucket")
        if code in OTHER_REGION or status in REDIRECTS:
            return self._other_region(cause, operation)
        if code == "NoSuchBucket":
            return self._no_bucket(operation)
        if status == HTTPStatus.FORBIDDEN:
            return self._denied(cause, operation, key)
        if operation is WRITE_IF and status == HTTPStatus.NOT_IMPLEMENTED:
            return self.refuses_conditions(key, f"answered {code}")
        return self._silent(operation, f"{code}, HTTP {status}")

    def _no_bucket(self, operation: Operation) -> errors.StateBucketMissing:
        return errors.StateBucketMissing(
            f"There is no bucket {self.bucket} {self._where()}.",
            not_done=operation.refused,
            remedy="Mend the bucket's name in the input `state`, or create the bucket.",
        )

    def _denied(
        self, cause: exceptions.ClientError, operation: Operation, key: str
    ) -> errors.StateAccessDenied:
        encrypted = operation.key_right and (
            f" If the bucket is encrypted with a KMS key, it needs {operation.key_right} on that."
        )
        return errors.StateAccessDenied(
            f"S3 refused to {operation.verb} {self._name(key)}: {_quote(code_of(cause))}, "
            f"{_message(cause)}.",
            not_done=operation.refused,
            remedy=f"Give this job's role {self._right(operation, key)}. docs/security.md has the "
            f"whole policy.{encrypted} {self._demands(operation)}",
        )

    def _demands(self, operation: Operation) -> str:
        """What a bucket may demand of a request besides rights, by the inputs that are not set."""
        unset = [
            f"{what} (`{name}`)"
            for name, what, value in (
                ("aws-sse", "encryption headers", self.access.sse or operation.name != WRITE.name),
                ("aws-acl", "an ACL", self.access.acl or operation.name != WRITE.name),
                ("aws-request-payer", "that the requester pays", self.access.request_payer),
            )
            if not value
        ]
        if self.access.expected_bucket_owner:
            unset.append("another owner than `aws-expected-bucket-owner` says")
        return f"Or the bucket demands {' or '.join(unset)}." if unset else ""

    def _right(self, operation: Operation, key: str) -> str:
        """What the role lacks."""
        # Objects of an access point are below its ARN's `object/`.
        point = self.bucket.startswith("arn:")
        bucket = self.bucket if point else f"arn:aws:s3:::{self.bucket}"
        arn = f"{bucket}/object" if point else bucket
        if operation is READ:
            return (
                f"s3:GetObject on {arn}/{self.prefix}* and s3:ListBucket on {bucket}. Without "
                "s3:ListBucket S3 answers 403 also for an object that is not there, so a first run "
                "cannot be told from a missing right"
            )
        if operation is LIST:
            return f"s3:ListBucket on {bucket}, for the prefix {self.prefix}{key}"
        # Never the whole store: what pull requests may write is a small part of it.
        top, slash, _ = key.partition("/")
        return f"{operation.right} on {arn}/{self.prefix}{top}{slash and '/*'}"

    def _other_region(
        self, cause: exceptions.ClientError, operation: Operation
    ) -> errors.StateWrongRegion:
        headers = cause.response["ResponseMetadata"].get("HTTPHeaders", {})
        error: Mapping[str, object] = cause.response["Error"]
        region = _quote(headers.get("x-amz-bucket-region") or str(error.get("Region", "")))
        if not region:
            return self.redirected(operation)
        asked = self.access.region or "the default region"
        return errors.StateWrongRegion(
            f"The bucket {self.bucket} is in {region}, not in {asked}.",
            not_done=operation.refused,
            remedy=f"Set the input `aws-region` to {region}.",
        )

    def _no_keys(self, operation: Operation, why: str) -> errors.StateCredentials:
        return errors.StateCredentials(
            f"There are no valid credentials for the bucket {self.bucket}: {_quote(why)}.",
            not_done=operation.refused,
            remedy="Set the input `aws-role` to a role that trusts this repository (OIDC), or set "
            "`aws-access-key-id` and `aws-secret-access-key`, or give the step AWS_ACCESS_KEY_ID "
            "and AWS_SECRET_ACCESS_KEY (and AWS_SESSION_TOKEN); renew them if they have expired.",
        )

    def _silent(self, operation: Operation, why: str) -> errors.StateUnreachable:
        return errors.StateUnreachable(
            f"The store {self._where()} gave no usable answer ({_quote(why)}), asked up to "
            f"{self.attempts} times.",
            not_done=operation.unanswered,
            remedy=certificates.remedy(why, "the store")
            or "Check the inputs `aws-endpoint-url` and `aws-region` and the network, or run "
            "the job again later.",
        )

    def _name(self, key: str) -> str:
        return f"s3://{self.bucket}/{self.prefix}{key}"

    def _where(self) -> str:
        if self.access.endpoint_url:
            # A user name and password in the address stay out of the message.
            host = urlsplit(self.access.endpoint_url).netloc.rpartition("@")[2]
            return f"at {host}"
        return f"in {self.access.region}" if self.access.region else "in the default region"


def _message(cause: exceptions.ClientError) -> str:
    return _quote(cause.response["Error"].get("Message", "")).rstrip(".") or "without a reason"


def _quote(text: str) -> str:
    """Foreign text on one line, short, without the user name and password of an address."""
    bare = re.sub(r"//[^/\s@]*@", "//", text)
    return " ".join(bare.split())[:LONGEST_QUOTE]
