"""S3: real boto3 against moto with IAM on; what moto cannot play is played on the wire."""

from __future__ import annotations

import gzip
import json
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dbtdeploy.artifacts import artifact_check
from dbtdeploy.base import errors
from dbtdeploy.base.settings import StoreAccess
from dbtdeploy.store.object_store import LARGEST
from dbtdeploy.store.publication import version_reader
from dbtdeploy.store.s3 import s3_client as edge
from standins.dbt.artifacts import all_artifacts, artifact
from standins.store import s3, wire

POLICY = Path(__file__).parents[2] / "fixtures" / "policy-pull-request.json"
SECRET = "wJalrXUtnFEMI-not-to-be-seen"


@pytest.fixture
def as_user(monkeypatch: pytest.MonkeyPatch) -> Callable[[s3.Keys], None]:
    """Log in, as the environment of a step would."""

    def log_in(keys: s3.Keys) -> None:
        for name, value in keys.environ.items():
            monkeypatch.setenv(name, value)

    return log_in


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Waiting takes no time, and is kept."""
    kept: list[float] = []
    monkeypatch.setattr(time, "sleep", kept.append)
    return kept


@pytest.fixture
def bucket(s3_iam: s3.Store) -> str:
    name = s3_iam.create_bucket()
    for artifact_name, content in all_artifacts().items():
        s3_iam.put(name, f"prod/{artifact_name}", content)
    return name


def fetch(location: str, destination: Path, given: StoreAccess) -> artifact_check.Fetched:
    return version_reader.fetch(edge.Bucket(location, given), destination)


def access(url: str, region: str | None = s3.REGION) -> StoreAccess:
    return StoreAccess(region=region, endpoint_url=url)


def policy_for(bucket: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(POLICY.read_text().replace("my-bucket", bucket))
    return document


def played(
    answer: Callable[[wire.Request], wire.Answer],
    destination: Path,
    monkeypatch: pytest.MonkeyPatch,
    region: str | None = s3.REGION,
) -> tuple[artifact_check.Fetched | errors.DbtDeployError, list[wire.Request]]:
    """Fetch from a scripted server; the outcome and what was asked."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_SESSION_TOKEN", "token-" + SECRET)
    with wire.serve(answer) as server:
        try:
            got: artifact_check.Fetched | errors.DbtDeployError
            got = fetch("s3://bucket/prod", destination, access(server.url, region))
        except errors.DbtDeployError as failure:
            got = failure
    assert SECRET not in str(got)
    return got, server.requests


def in_plain_layout(
    answer: Callable[[wire.Request], wire.Answer],
) -> Callable[[wire.Request], wire.Answer]:
    """The same server, in which nobody has published a version."""

    def answer_artifacts(request: wire.Request) -> wire.Answer:
        if request.path.endswith("/current.json"):
            return wire.s3_error(404, "NoSuchKey")
        return answer(request)

    return answer_artifacts


def test_least_policy_reads_all_artifacts(
    s3_iam: s3.Store, bucket: str, tmp_path: Path, as_user: Callable[[s3.Keys], None]
) -> None:
    as_user(s3_iam.create_user(policy_for(bucket)))
    got = fetch(f"s3://{bucket}/prod/", tmp_path, access(s3_iam.url))
    assert got == artifact_check.Fetched(names=artifact_check.ARTIFACTS)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == all_artifacts()


def test_least_policy_tells_no_state_yet(
    s3_iam: s3.Store, tmp_path: Path, as_user: Callable[[s3.Keys], None]
) -> None:
    empty = s3_iam.create_bucket()
    as_user(s3_iam.create_user(policy_for(empty)))
    got = fetch(f"s3://{empty}/prod", tmp_path, access(s3_iam.url))
    assert got == artifact_check.Fetched(names=())


def test_artifacts_at_the_root_of_a_bucket(
    s3_iam: s3.Store, tmp_path: Path, as_user: Callable[[s3.Keys], None]
) -> None:
    root = s3_iam.create_bucket()
    s3_iam.put(root, "manifest.json", artifact("manifest.json"))
    as_user(s3_iam.admin)
    assert fetch(f"s3://{root}", tmp_path, access(s3_iam.url)).names == ("manifest.json",)


def test_gzip_is_unpacked(
    s3_iam: s3.Store, tmp_path: Path, as_user: Callable[[s3.Keys], None]
) -> None:
    packed = s3_iam.create_bucket()
    content = artifact("manifest.json")
    s3_iam.put(packed, "p/manifest.json", gzip.compress(content), ContentEncoding="gzip")
    as_user(s3_iam.admin)
    fetch(f"s3://{packed}/p", tmp_path, access(s3_iam.url))
    assert (tmp_path / "manifest.json").read_bytes() == content


@pytest.mark.fault(9)
@pytest.mark.parametrize(
    ("stored", "said"),
    [
        ((b"{}", "gzip"), "says that it is gzip, and is not"),
        ((gzip.compress(b"x" * 999)[:-9], "gzip"), "says that it is gzip, .* cut short"),
        ((b"{}", "br"), "is stored as br"),
    ],
)
def test_what_cannot_be_unpacked_is_named(
    s3_iam: s3.Store,
    tmp_path: Path,
    as_user: Callable[[s3.Keys], None],
    stored: tuple[bytes, str],
    said: str,
) -> None:
    body, encoding = stored
    packed = s3_iam.create_bucket()
    s3_iam.put(packed, "p/manifest.json", body, ContentEncoding=encoding)
    as_user(s3_iam.admin)
    with pytest.raises(errors.StateCorrupt, match=f"{packed}/p/manifest.json {said}"):
        fetch(f"s3://{packed}/p", tmp_path, access(s3_iam.url))
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.fault(13)
def test_no_right_to_read_is_no_first_run(
    s3_iam: s3.Store, bucket: str, tmp_path: Path, as_user: Callable[[s3.Keys], None]
) -> None:
    elsewhere = policy_for(bucket)
    elsewhere["Statement"][0]["Resource"] = f"arn:aws:s3:::{bucket}/staging/*"
    as_user(s3_iam.create_user(elsewhere))
    with pytest.raises(errors.StateAccessDenied) as caught:
        fetch(f"s3://{bucket}/prod", tmp_path, access(s3_iam.url))
    assert f"s3://{bucket}/prod/current.json" in caught.value.what
    assert "not taken for a first run" in caught.value.not_done
    assert f"s3:GetObject on arn:aws:s3:::{bucket}/prod/*" in caught.value.remedy
    assert f"s3:ListBucket on arn:aws:s3:::{bucket}" in caught.value.remedy
    assert list(tmp_path.iterdir()) == []


@pytest.mark.fault(13)
def test_no_bucket(s3_iam: s3.Store, tmp_path: Path, as_user: Callable[[s3.Keys], None]) -> None:
    as_user(s3_iam.admin)
    with pytest.raises(errors.StateBucketMissing) as caught:
        fetch("s3://no-such-bucket/prod", tmp_path, access(s3_iam.url))
    assert "no-such-bucket" in caught.value.what
    assert "not taken for a first run" in caught.value.not_done


@pytest.mark.fault(13)
def test_unknown_keys(
    s3_iam: s3.Store, bucket: str, tmp_path: Path, as_user: Callable[[s3.Keys], None]
) -> None:
    as_user(s3.Keys(access_key="AKIAUNKNOWN", secret_key=SECRET))
    with pytest.raises(errors.StateCredentials, match="InvalidAccessKeyId") as caught:
        fetch(f"s3://{bucket}/prod", tmp_path, access(s3_iam.url))
    assert SECRET not in str(caught.value)
    assert "aws-role" in caught.value.remedy


@pytest.mark.fault(13)
def test_wrong_secret_key(
    s3_iam: s3.Store, bucket: str, tmp_path: Path, as_user: Callable[[s3.Keys], None]
) -> None:
    as_user(s3.Keys(access_key=s3_iam.admin.access_key, secret_key=SECRET))
    with pytest.raises(errors.StateCredentials, match="SignatureDoesNotMatch") as caught:
        fetch(f"s3://{bucket}/prod", tmp_path, access(s3_iam.url))
    assert SECRET not in str(caught.value)


@pytest.mark.fault(13)
def test_no_keys_at_all(s3_iam: s3.Store, bucket: str, tmp_path: Path) -> None:
    with pytest.raises(errors.StateCredentials, match="none were found"):
        fetch(f"s3://{bucket}/prod", tmp_path, access(s3_iam.url))


@pytest.mark.fault(13)
def test_unknown_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    with pytest.raises(errors.StateCredentials, match="ProfileNotFound"):
        fetch("s3://bucket/prod", tmp_path, access("http://127.0.0.1:1"))


@pytest.mark.fault(13)
@pytest.mark.parametrize("code", ["ExpiredToken", "InvalidToken", "RequestTimeTooSkewed"])
def test_expired_keys(code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refused = wire.s3_error(400, code, "The provided token", **{"Token-0": "token-" + SECRET})
    failure, _ = played(lambda _: refused, tmp_path, monkeypatch)
    assert isinstance(failure, errors.StateCredentials)
    assert code in failure.what
    assert "expired" in failure.remedy


@pytest.mark.fault(13)
def test_a_missing_key_that_s3_answers_with_403(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without s3:ListBucket, S3 answers so."""
    denied = wire.s3_error(403, "AccessDenied", "Access Denied")
    failure, asked = played(lambda _: denied, tmp_path, monkeypatch)
    assert isinstance(failure, errors.StateAccessDenied)
    assert "Without s3:ListBucket S3 answers 403" in failure.remedy
    assert len(asked) == 1


def test_a_refused_artifact_beside_the_manifest_is_told_and_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: wire.Request) -> wire.Answer:
        if request.path.endswith("/manifest.json"):
            return wire.Answer(body=artifact("manifest.json"))
        return wire.s3_error(403, "AccessDenied")

    got, _ = played(in_plain_layout(answer), tmp_path, monkeypatch)
    denied = ("run_results.json", "catalog.json", "sources.json")
    assert got == artifact_check.Fetched(names=("manifest.json",), denied=denied)


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    "answer",
    [
        wire.Answer(
            status=301,
            body=wire.s3_error(301, "PermanentRedirect").body,
            headers={"x-amz-bucket-region": "ap-south-1"},
        ),
        wire.s3_error(400, "AuthorizationHeaderMalformed", "region is wrong", Region="ap-south-1"),
    ],
    ids=["redirect", "signature"],
)
def test_wrong_region_names_the_right_one(
    answer: wire.Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure, _ = played(lambda _: answer, tmp_path, monkeypatch)
    assert isinstance(failure, errors.StateWrongRegion)
    assert "is in ap-south-1, not in eu-central-1" in failure.what
    assert "`aws-region` to ap-south-1" in failure.remedy


@pytest.mark.fault(13)
@pytest.mark.parametrize("head", [403, 301])
def test_wrong_region_that_nobody_names(
    head: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """301 to everything is what an endpoint does that sends http:// to https://."""

    def answer(request: wire.Request) -> wire.Answer:
        status = 301 if request.method == "GET" else head
        return wire.s3_error(status, "PermanentRedirect")

    failure, asked = played(answer, tmp_path, monkeypatch)
    assert isinstance(failure, errors.StateWrongRegion)
    assert "names no region" in failure.what
    assert "aws-region" in failure.remedy
    assert "https://" in failure.remedy
    assert len(asked) < 100


def test_wrong_region_is_mended_where_s3_accepts_the_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer(request: wire.Request) -> wire.Answer:
        if "/ap-south-1/s3/" in request.headers["authorization"]:
            return plain(request)
        return wire.s3_error(400, "AuthorizationHeaderMalformed", "wrong", Region="ap-south-1")

    plain = in_plain_layout(lambda each: wire.Answer(body=artifact(each.path.rpartition("/")[2])))
    got, _ = played(answer, tmp_path, monkeypatch)
    assert got == artifact_check.Fetched(names=artifact_check.ARTIFACTS)


@pytest.mark.fault(13)
@pytest.mark.parametrize(
    ("status", "code"), [(500, "InternalError"), (503, "SlowDown"), (503, "ServiceUnavailable")]
)
def test_faults_of_the_store_are_tried_again_a_bounded_number_of_times(
    status: int, code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    failure, asked = played(lambda _: wire.s3_error(status, code), tmp_path, monkeypatch)
    assert isinstance(failure, errors.StateUnreachable)
    assert code in failure.what
    assert "not taken for a first run" in failure.not_done
    assert len(asked) == edge.ATTEMPTS
    assert len(pauses) == edge.ATTEMPTS - 1
    assert sum(pauses) <= 15


def test_a_store_that_comes_back_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    left = [wire.s3_error(503, "SlowDown"), wire.s3_error(500, "InternalError")]

    def answer(request: wire.Request) -> wire.Answer:
        return left.pop() if left else plain(request)

    plain = in_plain_layout(lambda each: wire.Answer(body=artifact(each.path.rpartition("/")[2])))
    got, _ = played(answer, tmp_path, monkeypatch)
    assert got == artifact_check.Fetched(names=artifact_check.ARTIFACTS)
    assert len(pauses) == 2


@pytest.mark.fault(9, 13)
def test_a_body_that_breaks_off_is_fetched_again_and_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    cut = wire.Answer(body=b'{"metadata"', length=5000)
    failure, asked = played(in_plain_layout(lambda _: cut), tmp_path, monkeypatch)
    assert isinstance(failure, errors.StateUnreachable)
    assert "s3://bucket/prod/manifest.json broke off 3 times" in failure.what
    assert sum("/manifest.json" in request.path for request in asked) == edge.DOWNLOADS
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.fault(9)
def test_a_body_that_does_not_fit_its_checksum_is_never_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    altered = wire.Answer(
        body=artifact("manifest.json"), headers={"x-amz-checksum-crc32": "AAAAAA=="}
    )
    failure, _ = played(in_plain_layout(lambda _: altered), tmp_path, monkeypatch)
    assert isinstance(failure, errors.StateCorrupt)
    assert "s3://bucket/prod/manifest.json does not fit the checksum" in failure.what
    assert not (tmp_path / "manifest.json").exists()


@pytest.mark.fault(13)
def test_nobody_at_the_endpoint(
    tmp_path: Path, as_user: Callable[[s3.Keys], None], pauses: list[float]
) -> None:
    as_user(s3.Keys(access_key="A", secret_key=SECRET))
    with pytest.raises(errors.StateUnreachable) as caught:
        fetch("s3://bucket/prod", tmp_path, access(f"http://user:{SECRET}@127.0.0.1:1"))
    assert "at 127.0.0.1:1" in caught.value.what
    assert SECRET not in str(caught.value)


@pytest.mark.fault(13)
@pytest.mark.parametrize("body", [b"", b"<html>Not found</html>", b"<p>Not found<br>", b"{}"])
def test_a_web_server_at_a_mistyped_endpoint_is_no_first_run(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = wire.Answer(status=404, body=body, headers={"Content-Type": "text/html"})
    failure, _ = played(lambda _: page, tmp_path, monkeypatch)
    assert isinstance(failure, errors.StateUnreachable)


@pytest.mark.fault(13)
def test_a_role_that_cannot_be_assumed_is_a_matter_of_credentials(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = tmp_path / "token"
    token.write_text("header.body." + SECRET)
    monkeypatch.setenv("AWS_ROLE_ARN", "arn:aws:iam::123456789012:role/ci")
    monkeypatch.setenv("AWS_WEB_IDENTITY_TOKEN_FILE", str(token))
    refused = (
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>Not authorized</Message>"
        b"</Error></ErrorResponse>"
    )
    xml = {"Content-Type": "text/xml"}
    with wire.serve(lambda _: wire.Answer(status=403, body=refused, headers=xml)) as sts:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        with pytest.raises(errors.StateCredentials, match="AssumeRoleWithWebIdentity") as caught:
            fetch("s3://bucket/prod", tmp_path, access("http://127.0.0.1:1"))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("location", "given"),
    [
        ("s3://", access("http://127.0.0.1:1")),
        ("s3:///prod", access("http://127.0.0.1:1")),
        ("s3://what bucket/prod", access("http://127.0.0.1:1")),
        ("s3://bucket/prod", access("not a url")),
        ("s3://bucket/prod", StoreAccess(region="eu central", endpoint_url=None)),
    ],
)
def test_inputs_that_cannot_be_used(
    location: str,
    given: StoreAccess,
    tmp_path: Path,
    as_user: Callable[[s3.Keys], None],
) -> None:
    as_user(s3.Keys(access_key="A", secret_key=SECRET))
    with pytest.raises(errors.InvalidInput) as caught:
        fetch(location, tmp_path, given)
    assert "s3://bucket/prefix" in caught.value.remedy


def keyed(url: str) -> StoreAccess:
    return StoreAccess(
        region=s3.REGION, endpoint_url=url, access_key_id="AKIA", secret_access_key="any"
    )


@pytest.mark.fault(73)
@pytest.mark.parametrize("members", [1, 64])
def test_a_record_that_unpacks_to_much_more_is_stopped_at_the_limit(
    members: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In one piece, or in many that are each within the limit."""
    monkeypatch.setattr(edge, "LARGEST", 2 << 20)
    whole = 64 << 20
    body = gzip.compress(b" " * (whole // members), compresslevel=1) * members
    headers = {"Content-Encoding": "gzip", "ETag": '"1"'}
    with wire.serve(lambda _: wire.Answer(body=body, headers=headers)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(errors.StateCorrupt, match="unpacks to more than the 2,097,152"):
                fetch("s3://bucket/prod", tmp_path, keyed(server.url))
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < whole / 2


@pytest.mark.fault(73)
def test_an_object_that_is_too_large_is_not_downloaded(tmp_path: Path) -> None:
    answer = wire.Answer(body=b"{}", headers={"ETag": '"1"'}, length=LARGEST + 1)
    with (
        wire.serve(lambda _: answer) as server,
        pytest.raises(errors.StateCorrupt, match="is larger than the 536,870,912 bytes"),
    ):
        fetch("s3://bucket/prod", tmp_path, keyed(server.url))


def test_gzip_in_several_members_is_unpacked_whole(tmp_path: Path) -> None:
    body = gzip.compress(b"one ") + gzip.compress(b"two") + b"\0\0"
    headers = {"Content-Encoding": "gzip", "ETag": '"1"'}
    with wire.serve(lambda _: wire.Answer(body=body, headers=headers)) as server:
        found = edge.Bucket("s3://bucket/prod", keyed(server.url)).get("any")
    assert found is not None
    assert found.body == b"one two"
