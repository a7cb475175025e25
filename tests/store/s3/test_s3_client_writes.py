"""Writing to S3: lost answers, busy and failing stores, refusals, stores that ignore conditions."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from dbtdeploy.base import errors
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store import conditional_write_check
from dbtdeploy.store.object_store import ABSENT, Conflict
from dbtdeploy.store.s3.s3_client import ATTEMPTS, PAUSES, Bucket
from standins.store import s3, wire

SECRET = "wJalrXUtnFEMI-not-to-be-seen"
DO: dict[str, Callable[[Bucket], Any]] = {
    "read": lambda bucket: bucket.get("versions/a/index.json"),
    "write": lambda bucket: bucket.put("versions/a/index.json", b"{}"),
    "write if absent": lambda bucket: bucket.put("lease.json", b"{}", only_if=ABSENT),
    "delete": lambda bucket: bucket.delete("versions/a/index.json"),
    "list": lambda bucket: list(bucket.list("versions/")),
}
NOT_DONE = {
    "read": "It was not read, and this was not taken for a first run.",
    "write": "Nothing was written.",
    "write if absent": "Nothing was written.",
    "delete": "Nothing was deleted.",
    "list": "Nothing was listed, and this was not taken for an empty store.",
}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waiting takes no time, and is kept."""
    kept: list[float] = []
    monkeypatch.setattr(time, "sleep", kept.append)
    return kept


def at(url: str, bucket: str = "bucket") -> Bucket:
    access = StoreAccess(
        region=s3.REGION, endpoint_url=url, access_key_id="AKIA", secret_access_key=SECRET
    )
    return Bucket(f"s3://{bucket}/prod", access)


Hook = Callable[[wire.Request], "wire.Answer | None"]


@pytest.fixture
def through(s3_open: s3.Store) -> Iterator[Callable[..., tuple[Bucket, wire.Server]]]:
    """A store behind a proxy: ``before`` may answer itself, ``after`` may change what is told."""
    running: list[Any] = []

    def start(
        *,
        before: Hook = lambda _: None,
        after: Callable[[wire.Request, wire.Answer], wire.Answer] = lambda _, answer: answer,
        without: tuple[str, ...] = (),
    ) -> tuple[Bucket, wire.Server]:
        def answer(request: wire.Request) -> wire.Answer:
            instead = before(request)
            if instead is not None:
                return instead
            return after(request, wire.forward(request, s3_open.url, without=without))

        context = wire.serve(answer)
        running.append(context)
        server = context.__enter__()
        return at(server.url, s3_open.create_bucket()), server

    yield start
    for context in running:
        context.__exit__(None, None, None)


Through = Callable[..., "tuple[Bucket, wire.Server]"]


def body_of(bucket: Bucket, key: str) -> bytes | None:
    found = bucket.get(key)
    return found.body if found else None


def losing(
    times: int, body: bytes, meanwhile: Callable[[], object] = lambda: None
) -> Callable[[wire.Request, wire.Answer], wire.Answer]:
    """The write is made, and the answer to it is lost."""
    left = [True] * times

    def lose(request: wire.Request, answer: wire.Answer) -> wire.Answer:
        if left and request.body == body:
            left.pop()
            meanwhile()
            return wire.Answer(lost=True)
        return answer

    return lose


@pytest.mark.fault(2)
@pytest.mark.parametrize("times", [1, 3])
def test_a_lease_whose_answer_is_lost_is_ours(times: int, through: Through) -> None:
    bucket, server = through(after=losing(times, b"ours"))
    etag = bucket.put("lease.json", b"ours", only_if=ABSENT)
    there = bucket.get("lease.json")
    assert there is not None
    assert (there.body, there.etag) == (b"ours", etag)
    assert sum(request.method == "PUT" for request in server.requests) == times + 1


@pytest.mark.fault(2)
def test_a_renewal_whose_answer_is_lost_is_ours(through: Through) -> None:
    bucket, _ = through(after=losing(1, b"second"))
    first = bucket.put("lease.json", b"first", only_if=ABSENT)
    second = bucket.put("lease.json", b"second", only_if=first)
    assert bucket.put("lease.json", b"third", only_if=second)
    assert body_of(bucket, "lease.json") == b"third"


@pytest.mark.fault(2)
def test_a_lost_answer_is_not_taken_for_ours_when_another_was_quicker(through: Through) -> None:
    def steal() -> None:
        bucket.put("lease.json", b"theirs")

    bucket, _ = through(after=losing(1, b"ours", steal))
    with pytest.raises(Conflict):
        bucket.put("lease.json", b"ours", only_if=ABSENT)
    assert body_of(bucket, "lease.json") == b"theirs"


@pytest.mark.fault(6)
@pytest.mark.parametrize("only_if", [None, ABSENT])
@pytest.mark.parametrize(
    ("status", "code"),
    [
        (409, "ConditionalRequestConflict"),
        (409, "OperationAborted"),
        (500, "InternalError"),
        (503, "SlowDown"),
        (503, "ServiceUnavailable"),
    ],
)
def test_a_store_that_is_busy_for_a_while_is_written_to(
    status: int, code: str, only_if: str | None, through: Through, pauses: list[float]
) -> None:
    left = [wire.s3_error(status, code)] * 3
    bucket, _ = through(before=lambda r: left.pop() if left and r.method == "PUT" else None)
    bucket.put("current.json", b"{}", only_if=only_if)
    assert body_of(bucket, "current.json") == b"{}"
    assert len(pauses) == 3


@pytest.mark.fault(6)
@pytest.mark.parametrize(
    ("status", "code", "times"),
    [
        (409, "ConditionalRequestConflict", len(PAUSES) + 1),
        (500, "InternalError", ATTEMPTS),
        (503, "SlowDown", ATTEMPTS),
    ],
)
def test_a_store_that_stays_busy_is_given_up_on(
    status: int, code: str, times: int, pauses: list[float]
) -> None:
    with (
        wire.serve(lambda _: wire.s3_error(status, code)) as server,
        pytest.raises(errors.StateUnreachable) as caught,
    ):
        at(server.url).put("lease.json", b"{}", only_if=ABSENT)
    assert code in caught.value.what
    assert caught.value.not_done == "Whether it was written is not known."
    assert len(server.requests) == times
    assert len(pauses) == times - 1
    assert sum(pauses) <= 15


@pytest.mark.fault(6)
@pytest.mark.parametrize("doing", ["delete", "list"])
@pytest.mark.parametrize("code", ["SlowDown", "InternalError"])
def test_deleting_and_listing_try_again_too(doing: str, code: str, through: Through) -> None:
    left = [wire.s3_error(503, code)] * 3
    bucket, server = through(before=lambda r: left.pop() if left and r.method != "PUT" else None)
    bucket.put("versions/a/index.json", b"{}")
    DO[doing](bucket)
    assert not left
    assert len(server.requests) == 5


@pytest.mark.fault(13)
@pytest.mark.parametrize("doing", list(DO))
def test_what_a_refusal_left_undone_and_which_right_is_missing(
    doing: str, s3_iam: s3.Store
) -> None:
    name = s3_iam.create_bucket()
    user = s3_iam.create_user()
    access = StoreAccess(
        region=s3.REGION,
        endpoint_url=s3_iam.url,
        access_key_id=user.access_key,
        secret_access_key=user.secret_key,
    )
    with pytest.raises(errors.StateAccessDenied) as caught:
        DO[doing](Bucket(f"s3://{name}/prod", access))
    arn = f"arn:aws:s3:::{name}"
    right = {
        "read": f"s3:GetObject on {arn}/prod/* and s3:ListBucket on {arn}.",
        "write": f"s3:PutObject on {arn}/prod/versions/*.",
        "write if absent": f"s3:PutObject on {arn}/prod/lease.json.",
        "delete": f"s3:DeleteObject on {arn}/prod/versions/*.",
        "list": f"s3:ListBucket on {arn}, for the prefix prod/versions/.",
    }[doing]
    assert caught.value.not_done == NOT_DONE[doing]
    assert right in caught.value.remedy
    assert f"S3 refused to {doing.split(maxsplit=1)[0]} s3://{name}/prod/" in caught.value.what


@pytest.mark.fault(13)
@pytest.mark.parametrize("doing", list(DO))
@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (wire.s3_error(400, "ExpiredToken"), errors.StateCredentials, "ExpiredToken"),
        (wire.s3_error(403, "InvalidAccessKeyId"), errors.StateCredentials, "InvalidAccessKeyId"),
        (wire.s3_error(404, "NoSuchBucket"), errors.StateBucketMissing, "no bucket bucket"),
        (
            wire.s3_error(400, "AuthorizationHeaderMalformed", Region="ap-south-1"),
            errors.StateWrongRegion,
            "is in ap-south-1, not in eu-central-1",
        ),
    ],
    ids=["expired", "unknown", "no bucket", "wrong region"],
)
def test_each_refusal_has_its_name_whatever_was_asked(
    answer: wire.Answer, kind: type[errors.DbtDeployError], said: str, doing: str
) -> None:
    with wire.serve(lambda _: answer) as server, pytest.raises(kind) as caught:
        DO[doing](at(server.url))
    assert said in caught.value.what
    assert caught.value.not_done == NOT_DONE[doing]
    assert SECRET not in str(caught.value)


@pytest.mark.fault(13)
@pytest.mark.parametrize("doing", list(DO))
def test_no_bucket_of_that_name(doing: str, s3_open: s3.Store) -> None:
    with pytest.raises(errors.StateBucketMissing, match="no-such-bucket") as caught:
        DO[doing](at(s3_open.url, "no-such-bucket"))
    assert caught.value.not_done == NOT_DONE[doing]


@pytest.mark.fault(13)
def test_a_refusal_on_the_second_page_is_no_end_of_the_list(through: Through) -> None:
    def refuse(request: wire.Request) -> wire.Answer | None:
        if "continuation-token" in request.path:
            return wire.s3_error(403, "AccessDenied")
        return None

    def two_pages(request: wire.Request, answer: wire.Answer) -> wire.Answer:
        body = answer.body.replace(
            b"<IsTruncated>false</IsTruncated>",
            b"<IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken>",
        )
        return wire.Answer(status=answer.status, body=body, headers=answer.headers)

    bucket, _ = through(before=refuse, after=two_pages)
    bucket.put("versions/a/index.json", b"{}")
    with pytest.raises(errors.StateAccessDenied):
        list(bucket.list("versions/"))


@pytest.mark.fault(5)
@pytest.mark.parametrize(
    ("without", "said"),
    [
        (("if-match", "if-none-match"), "in spite of If-None-Match"),
        (("if-none-match",), "in spite of If-None-Match"),
        (("if-match",), "in spite of another ETag in If-Match"),
    ],
)
def test_a_store_that_ignores_conditions_is_found_out(
    without: tuple[str, ...], said: str, through: Through
) -> None:
    bucket, _ = through(without=without)
    with pytest.raises(errors.ConditionsIgnored) as caught:
        conditional_write_check.check_conditional_writes(bucket)
    assert said in caught.value.what
    assert "was not locked" in caught.value.not_done
    assert list(bucket.list("")) == []


@pytest.mark.fault(5)
def test_the_probe_is_four_requests_two_looks_at_what_refused_them_and_a_race(
    through: Through,
) -> None:
    bucket, server = through()
    conditional_write_check.check_conditional_writes(bucket)
    asked = [request.method for request in server.requests]
    assert asked[:6] == ["PUT", "PUT", "GET", "PUT", "GET", "DELETE"]
    racers = conditional_write_check.RACERS
    assert asked[6:].count("PUT") == 2 * racers
    assert asked[-1] == "DELETE"
    assert list(bucket.list("")) == []


@pytest.mark.fault(76)
@pytest.mark.parametrize("late", ["if-none-match", "if-match"])
def test_a_store_that_checks_a_condition_and_writes_a_moment_later_is_found_out(
    late: str, s3_open: s3.Store
) -> None:
    """One writer after the other it answers rightly; of several at once more than one wins."""
    store = wire.LateWriter(s3_open.url, late)
    with wire.serve(store.answer) as server:
        bucket = at(server.url, s3_open.create_bucket())
        etag = bucket.put("lease.json", b"first", only_if=ABSENT)
        with pytest.raises(Conflict):
            bucket.put("lease.json", b"second", only_if=ABSENT)
        bucket.put("lease.json", b"third", only_if=etag)
        with pytest.raises(Conflict):
            bucket.put("lease.json", b"fourth", only_if=etag)
        with pytest.raises(errors.ConditionsIgnored) as caught:
            conditional_write_check.check_conditional_writes(bucket)
        assert {"if-none-match": "If-None-Match", "if-match": "If-Match"}[late] in caught.value.what
        assert "writers at once" in caught.value.what
        assert "was not locked" in caught.value.not_done
        assert [entry.key for entry in bucket.list("")] == ["lease.json"]


@pytest.mark.fault(5)
def test_a_store_that_does_not_know_conditions(through: Through) -> None:
    def refuse(request: wire.Request) -> wire.Answer | None:
        conditional = {"if-match", "if-none-match"} & set(request.headers)
        return wire.s3_error(501, "NotImplemented") if conditional else None

    bucket, _ = through(before=refuse)
    with pytest.raises(errors.ConditionsIgnored, match="answered NotImplemented") as caught:
        conditional_write_check.check_conditional_writes(bucket)
    assert caught.value.not_done == "Nothing was written."
    bucket.put("latest/manifest.json", b"{}")


def refuse_etags(which: Callable[[str], bool]) -> Hook:
    def refuse(request: wire.Request) -> wire.Answer | None:
        given = request.headers.get("if-match")
        return wire.s3_error(412, "PreconditionFailed") if given and which(given) else None

    return refuse


def test_a_store_that_wants_etags_without_quotes(through: Through) -> None:
    """As Ceph's radosgw 16 does."""
    bucket, server = through(before=refuse_etags(lambda etag: '"' in etag))
    first = bucket.put("current.json", b"1", only_if=ABSENT)
    second = bucket.put("current.json", b"2", only_if=first)
    asked = len(server.requests)
    third = bucket.put("current.json", b"3", only_if=second)
    assert len(server.requests) == asked + 1
    with pytest.raises(Conflict):
        bucket.put("current.json", b"4", only_if=second)
    bucket.put("current.json", b"5", only_if=third)
    assert body_of(bucket, "current.json") == b"5"


def test_a_store_that_refuses_every_etag_is_told_apart_from_a_conflict(through: Through) -> None:
    bucket, _ = through(before=refuse_etags(lambda _: True))
    first = bucket.put("current.json", b"1", only_if=ABSENT)
    with pytest.raises(errors.ConditionsIgnored, match="refused a condition that held"):
        bucket.put("current.json", b"2", only_if=first)
    assert body_of(bucket, "current.json") == b"1"


def test_ages_are_by_the_stores_clock() -> None:
    stored = wire.Answer(
        body=b"{}", headers={"Last-Modified": "Sat, 21 Nov 2026 06:00:00 GMT", "ETag": '"1"'}
    )
    dated = wire.Answer(
        body=b"{}", headers={**stored.headers, "Date": "Sat, 21 Nov 2026 06:01:30 GMT"}
    )
    with wire.serve(lambda _: dated, dated=False) as server:
        found = at(server.url).get("lease.json")
        assert found is not None
        assert (found.now - found.modified).total_seconds() == 90
    with wire.serve(lambda _: stored, dated=False) as server:
        found = at(server.url).get("lease.json")
        assert found is not None
        assert found.now == found.modified


def test_an_upload_carries_its_checksum_in_a_header(through: Through) -> None:
    """Not behind the body (aws-chunked), which many stores do not take."""
    bucket, server = through()
    bucket.put("latest/manifest.json", b"{}")
    (request,) = server.requests
    assert request.body == b"{}"
    assert request.headers["content-type"] == "application/json"
    assert "x-amz-checksum-sha256" in request.headers
    assert "x-amz-trailer" not in request.headers
    assert "content-encoding" not in request.headers
