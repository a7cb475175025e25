"""What is asked of S3, in its names and in ours, and the answers that are no failures."""

from __future__ import annotations

from http import HTTPStatus

from botocore import exceptions
from msgspec import Struct
from msgspec.structs import replace

from dbtdeploy.store.object_store import Conflict

NO_KEY = "NoSuchKey"
"""A bare 404 is not enough: any web server at a mistyped endpoint gives one."""

BUSY = {"ConditionalRequestConflict", "OperationAborted"}
"""409: another write to the same key is under way."""


class Operation(Struct, frozen=True, kw_only=True):
    """One thing to do with an object, and the words for its not being done."""

    name: str
    """S3's."""
    verb: str
    right: str
    """What a policy calls it."""
    refused: str
    """What a refusal left undone."""
    unanswered: str
    """What silence left undone."""
    key_right: str = ""
    """What it wants of the KMS key of an encrypted bucket."""


_NOT_READ = "It was not read, and this was not taken for a first run."
_NOT_LISTED = "Nothing was listed, and this was not taken for an empty store."
READ = Operation(
    name="GetObject",
    verb="read",
    right="s3:GetObject",
    refused=_NOT_READ,
    unanswered=_NOT_READ,
    key_right="kms:Decrypt",
)
WRITE = Operation(
    name="PutObject",
    verb="write",
    right="s3:PutObject",
    refused="Nothing was written.",
    unanswered="Whether it was written is not known.",
    key_right="kms:GenerateDataKey and kms:Decrypt",
)
WRITE_IF = replace(WRITE)
"""Under a condition."""
DELETE = Operation(
    name="DeleteObject",
    verb="delete",
    right="s3:DeleteObject",
    refused="Nothing was deleted.",
    unanswered="Whether it was deleted is not known.",
)
LIST = Operation(
    name="ListObjectsV2",
    verb="list",
    right="s3:ListBucket",
    refused=_NOT_LISTED,
    unanswered=_NOT_LISTED,
)
NAMES = {each.name for each in (READ, WRITE, DELETE, LIST)}


class Absent(Exception):
    """There is no such object, and nothing else is wrong."""


class Busy(Exception):
    """Another write to the same key is under way; it is worth trying again."""

    def __init__(self, cause: exceptions.ClientError) -> None:
        super().__init__(str(cause))
        self.cause = cause


def meaning(cause: exceptions.ClientError, operation: Operation) -> Exception | None:
    """What an answer says that is no failure: ``Absent``, ``Conflict`` or ``Busy``; else None."""
    code, status = code_of(cause), status_of(cause)
    if cause.operation_name != operation.name:
        return None
    if operation in (READ, DELETE) and code == NO_KEY:
        return Absent()
    if operation is WRITE_IF and (status == HTTPStatus.PRECONDITION_FAILED or code == NO_KEY):
        # 404 is how S3 answers If-Match for an object that is not there.
        return Conflict()
    if operation.name == WRITE.name and code in BUSY:
        return Busy(cause)
    return None


def code_of(cause: exceptions.ClientError) -> str:
    """S3's name of what is wrong."""
    return cause.response["Error"].get("Code", "no code")


def status_of(cause: exceptions.ClientError) -> int:
    """The HTTP status, 0 where there is none."""
    return cause.response["ResponseMetadata"].get("HTTPStatusCode", 0)
