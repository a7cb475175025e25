"""What a location and the inputs about S3 come to: bucket, prefix, and what requests say."""

from __future__ import annotations

from typing import Any

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store.object_store import ABSENT
from dbtdeploy.store.s3 import s3_inputs
from dbtdeploy.store.s3.s3_client import Bucket
from standins.store import s3, wire

POINT = "arn:aws:s3:eu-central-1:123456789012:accesspoint"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/0"
EVERY = {"request_payer": "requester", "expected_bucket_owner": "123456789012"}
WRITES = {"sse": "aws:kms", "sse_kms_key_id": KEY, "acl": "bucket-owner-full-control"}


def access(url: str | None = None, **given: Any) -> StoreAccess:
    return StoreAccess(
        region=s3.REGION,
        endpoint_url=url,
        access_key_id="AKIA",
        secret_access_key="secret",
        **given,
    )


@pytest.mark.fault(80)
@pytest.mark.parametrize(
    ("location", "bucket", "prefix"),
    [
        ("s3://bucket", "bucket", ""),
        ("s3://bucket/", "bucket", ""),
        ("s3://bucket/prod", "bucket", "prod/"),
        ("s3://bucket/a/.b/c../", "bucket", "a/.b/c../"),
        (f"s3://{POINT}/prod", f"{POINT}/prod", ""),
        (f"s3://{POINT}/prod/dbt/a", f"{POINT}/prod", "dbt/a/"),
        (f"s3://{POINT}:prod/dbt", f"{POINT}:prod", "dbt/"),
    ],
)
def test_a_location_is_a_bucket_or_an_access_point_and_a_prefix(
    location: str, bucket: str, prefix: str
) -> None:
    assert s3_inputs.parsed(location) == (bucket, prefix)


@pytest.mark.fault(80)
@pytest.mark.parametrize(
    "location",
    [
        "s3://bucket//prod",
        "s3://bucket/prod//",
        "s3://bucket/a//b",
        "s3://bucket/./prod",
        "s3://bucket/prod/.",
        "s3://bucket/prod/../other",
        "s3://bucket/..",
        "s3://",
        "s3:///prod",
        "s3://arn:aws:s3::123456789012:accesspoint/many.mrap/prod",
        "s3://arn:aws:s3-outposts:eu-central-1:123456789012:outpost/o/accesspoint/a",
        "s3://arn:aws:s3-object-lambda:eu-central-1:123456789012:accesspoint/a/prod",
        "s3://arn:aws:s3:::bucket/prod",
    ],
)
def test_a_location_that_could_be_read_as_another_is_refused(location: str) -> None:
    with pytest.raises(errors.InvalidInput) as caught:
        Bucket(location, access())
    assert location in caught.value.what
    assert caught.value.not_done == "The store was not asked."


@pytest.mark.fault(80)
def test_an_access_point_is_asked_under_its_own_host() -> None:
    """Its objects stand behind a host of its own; no request names it as a bucket."""
    asked: list[str] = []
    bucket = Bucket(f"s3://{POINT}/prod/dbt", access())

    def see(request: Any, **_: Any) -> None:
        asked.append(request.url)
        raise RuntimeError("seen")

    client = bucket._connect()
    client.meta.events.register("before-send.s3", see)
    bucket._client = client
    with pytest.raises(RuntimeError, match="seen"):
        bucket.get("current.json")
    host = "prod-123456789012.s3-accesspoint.eu-central-1.amazonaws.com"
    assert asked[0].startswith(f"https://{host}/dbt/current.json")


@pytest.mark.fault(80)
@pytest.mark.parametrize("code", ["InvalidAccessKeyId", "InvalidClientTokenId"])
def test_an_unknown_key_answered_404_is_no_first_run(code: str) -> None:
    def answer(_request: wire.Request) -> wire.Answer:
        return wire.s3_error(404, code)

    with wire.serve(answer) as server:
        bucket = Bucket("s3://bucket/prod", access(server.url))
        with pytest.raises(errors.StateCredentials, match=code):
            bucket.get("current.json")
        with pytest.raises(errors.StateCredentials, match=code):
            bucket.put("lease.json", b"{}", only_if='"etag"')


@pytest.mark.fault(77)
def test_what_a_bucket_demands_goes_with_every_request(s3_open: s3.Store) -> None:
    def answer(request: wire.Request) -> wire.Answer:
        return wire.forward(request, s3_open.url, without=("x-amz-expected-bucket-owner",))

    with wire.serve(answer) as server:
        given = access(server.url, **EVERY, **WRITES)
        bucket = Bucket(f"s3://{s3_open.create_bucket()}/prod", given)
        bucket.put("lease.json", b"{}", only_if=ABSENT)
        bucket.get("lease.json")
        list(bucket.list(""))
        bucket.delete("lease.json")
    assert {request.method for request in server.requests} == {"PUT", "GET", "DELETE"}
    for request in server.requests:
        assert request.headers["x-amz-request-payer"] == "requester"
        assert request.headers["x-amz-expected-bucket-owner"] == "123456789012"
        if request.method == "PUT":
            assert request.headers["x-amz-server-side-encryption"] == "aws:kms"
            assert request.headers["x-amz-server-side-encryption-aws-kms-key-id"] == KEY
            assert request.headers["x-amz-acl"] == "bucket-owner-full-control"
        else:
            assert "x-amz-acl" not in request.headers


@pytest.mark.fault(77)
def test_by_default_nothing_of_that_is_said(s3_open: s3.Store) -> None:
    with wire.serve(lambda request: wire.forward(request, s3_open.url)) as server:
        bucket = Bucket(f"s3://{s3_open.create_bucket()}/prod", access(server.url))
        bucket.put("lease.json", b"{}", only_if=ABSENT)
    said = {name for request in server.requests for name in request.headers}
    assert not said & {"x-amz-acl", "x-amz-request-payer", "x-amz-expected-bucket-owner"}
    assert "x-amz-server-side-encryption" not in said


@pytest.mark.fault(77)
@pytest.mark.parametrize(
    ("given", "named"),
    [
        ({"sse": "aes"}, "aws-sse"),
        ({"sse_kms_key_id": KEY}, "aws-sse"),
        ({"sse": "AES256", "sse_kms_key_id": KEY}, "aws-sse"),
        ({"request_payer": "me"}, "aws-request-payer"),
        ({"expected_bucket_owner": "acme"}, "aws-expected-bucket-owner"),
        ({"acl": "everybody"}, "aws-acl"),
    ],
)
def test_an_input_that_s3_does_not_know_is_named(given: dict[str, str], named: str) -> None:
    with pytest.raises(errors.InvalidInput, match=f"`{named}`"):
        Bucket("s3://bucket/prod", access(**given))


@pytest.mark.fault(77)
def test_a_refusal_names_what_the_bucket_may_demand() -> None:
    def answer(_request: wire.Request) -> wire.Answer:
        return wire.s3_error(403, "AccessDenied", "Access Denied")

    with wire.serve(answer) as server:
        bucket = Bucket("s3://bucket/prod", access(server.url))
        with pytest.raises(errors.StateAccessDenied) as write:
            bucket.put("lease.json", b"{}")
        with pytest.raises(errors.StateAccessDenied) as read:
            bucket.get("lease.json")
        ours = Bucket("s3://bucket/prod", access(server.url, **EVERY))
        with pytest.raises(errors.StateAccessDenied) as owned:
            ours.get("lease.json")
    for name in ("aws-sse", "aws-acl", "aws-request-payer"):
        assert name in write.value.remedy
    assert "aws-sse" not in read.value.remedy
    assert "aws-request-payer" in read.value.remedy
    assert "aws-expected-bucket-owner" in owned.value.remedy
