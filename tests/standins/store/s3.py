"""An S3 server (moto) on loopback, in a process of its own, with or without IAM checks.

As a library: ``with s3.serve(iam=True) as store: store.create_bucket("dbt")``.
As a process: ``python tests/standins/store/s3.py [--iam]`` prints one JSON line with its address
and its administrator's keys, and serves until its standard input closes or it is told to end.

An object of the content type ``LONG_AGO`` counts as written half an hour before it was.

With IAM on, moto checks signatures, keys and policies' actions and resources. It allows where a
policy's Condition is not met, and answers 404 for a missing key where S3 answers 403 to those who
may not list; ``tests/standins/store/wire.py`` plays what moto cannot.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3
from botocore.config import Config

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

HOST = "127.0.0.1"
REGION = "eu-central-1"
LONG_AGO = "application/json; written=long-ago"
CLIENT = Config(
    connect_timeout=5,
    read_timeout=20,
    retries={"mode": "standard", "total_max_attempts": 2},
    s3={"addressing_style": "path"},
)


@dataclass(frozen=True, kw_only=True)
class Keys:
    """One identity's access keys."""

    access_key: str
    secret_key: str = field(repr=False)

    @property
    def environ(self) -> dict[str, str]:
        """As variables that boto3 and the AWS command line read."""
        return {
            "AWS_ACCESS_KEY_ID": self.access_key,
            "AWS_SECRET_ACCESS_KEY": self.secret_key,
        }


@dataclass(frozen=True, kw_only=True)
class Store:
    """A running server."""

    url: str
    admin: Keys
    region: str = REGION
    iam: bool = False

    @property
    def environ(self) -> dict[str, str]:
        """What a dbt-deploy script needs to read from here as the administrator."""
        return {
            **self.admin.environ,
            "DBT_DEPLOY_AWS_ENDPOINT_URL": self.url,
            "DBT_DEPLOY_AWS_REGION": self.region,
        }

    def client(self, keys: Keys | None = None) -> S3Client:
        """A boto3 client, the administrator's unless told otherwise."""
        return self._session(keys).client("s3", endpoint_url=self.url, config=CLIENT)

    def create_bucket(self, name: str | None = None) -> str:
        """A new empty bucket; gives its name."""
        name = name or f"dbt-{secrets.token_hex(6)}"
        where: Any = {"LocationConstraint": self.region}
        self.client().create_bucket(Bucket=name, CreateBucketConfiguration=where)
        return name

    def put(self, bucket: str, key: str, body: bytes, **options: Any) -> None:
        """Write one object, as ``aws s3 cp`` would."""
        self.client().put_object(Bucket=bucket, Key=key, Body=body, **options)

    def put_folder(self, bucket: str, prefix: str, folder: Path) -> None:
        """Write a folder's files under a prefix."""
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                name = path.relative_to(folder).as_posix()
                self.put(bucket, f"{prefix.strip('/')}/{name}".lstrip("/"), path.read_bytes())

    def create_user(self, policy: dict[str, Any] | None = None) -> Keys:
        """A new user who may do what the policy document says, or nothing; gives its keys."""
        client = self._session(None).client("iam", endpoint_url=self.url, config=CLIENT)
        return _create_user(client, policy)

    def _session(self, keys: Keys | None) -> boto3.Session:
        keys = keys or self.admin
        return boto3.Session(
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            region_name=self.region,
        )


@contextlib.contextmanager
def serve(*, iam: bool = False) -> Iterator[Store]:
    """Start a server in a process of its own (about 1.5 s) and end it on the way out.

    Args:
        iam: check every request's signature and policy from here on.
    """
    hidden = ("AWS_", "MOTO_", "INITIAL_NO_AUTH")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(hidden)}
    process = subprocess.Popen(
        [sys.executable, __file__, *(["--iam"] if iam else [])],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=kept,
        text=True,
    )
    # Standard input closes with us, however we end, and the server ends with it.
    with process:
        assert process.stdout is not None
        try:
            line = process.stdout.readline()
            if not line:
                raise RuntimeError(f"the S3 stand-in did not start: exit {process.wait()}")
            told = json.loads(line)
            admin = Keys(access_key=told["access_key"], secret_key=told["secret_key"])
            yield Store(url=told["url"], admin=admin, iam=told["iam"])
        finally:
            process.terminate()


def _create_user(iam: Any, policy: dict[str, Any] | None) -> Keys:
    name = f"user-{secrets.token_hex(6)}"
    iam.create_user(UserName=name)
    if policy is not None:
        document = json.dumps(policy)
        iam.put_user_policy(UserName=name, PolicyName="given", PolicyDocument=document)
    made = iam.create_access_key(UserName=name)["AccessKey"]
    return Keys(access_key=made["AccessKeyId"], secret_key=made["SecretAccessKey"])


def _write_one_at_a_time() -> None:
    """Make moto's conditional writes atomic, as S3's are: it compares, and writes a moment later.

    Two requests served at once by its threads could both find their condition to hold.
    """
    from moto.s3.responses import S3Response  # noqa: PLC0415

    writing = threading.Lock()

    def atomic(method: Callable[[S3Response], Any]) -> Callable[[S3Response], Any]:
        def held(response: S3Response) -> Any:
            with writing:
                return method(response)

        return held

    for name in ("put_object", "delete_object"):
        setattr(S3Response, name, atomic(getattr(S3Response, name)))


def _date_back() -> None:
    """Let what is of the type ``LONG_AGO`` be half an hour old: a bucket's clock cannot be set."""
    from moto.s3.models import FakeKey  # noqa: PLC0415

    put = FakeKey.set_metadata

    def dated(key: FakeKey, metadata: Any, replace: bool = False) -> None:
        put(key, metadata, replace)
        if metadata.get("Content-Type") == LONG_AGO:
            key.last_modified -= timedelta(minutes=30)

    setattr(FakeKey, "set_metadata", dated)  # noqa: B010


def main() -> None:
    parser = argparse.ArgumentParser(description="An S3 server on loopback.")
    parser.add_argument("--iam", action="store_true", help="check signatures and policies")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

    # moto reads its settings when imported; at 0 the first request would already need a user.
    from moto.moto_api._internal.models import moto_api_backend  # noqa: F401, PLC0415
    from moto.server import ThreadedMotoServer  # noqa: PLC0415

    _write_one_at_a_time()
    _date_back()
    server = ThreadedMotoServer(HOST, 0, verbose=False)
    server.start()
    _, port = server.get_host_and_port()
    url = f"http://{HOST}:{port}"
    session = boto3.Session(
        aws_access_key_id="setup", aws_secret_access_key="setup", region_name=REGION
    )
    everything = {"Effect": "Allow", "Action": "*", "Resource": "*"}
    policy = {"Version": "2012-10-17", "Statement": [everything]}
    admin = _create_user(session.client("iam", endpoint_url=url, config=CLIENT), policy)
    if arguments.iam:
        from moto import settings  # noqa: PLC0415
        from moto.core.authorization import ActionAuthenticatorMixin  # noqa: PLC0415

        settings.INITIAL_NO_AUTH_ACTION_COUNT = 0
        ActionAuthenticatorMixin.request_count = 0
    told = {
        "url": url,
        "access_key": admin.access_key,
        "secret_key": admin.secret_key,
        "region": REGION,
        "iam": arguments.iam,
        "pid": os.getpid(),
    }
    print(json.dumps(told), flush=True)
    with contextlib.suppress(KeyboardInterrupt):
        sys.stdin.read()
    server.stop()


if __name__ == "__main__":
    main()
