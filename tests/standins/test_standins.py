"""The stand-ins do what the other tests take for granted."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from botocore.exceptions import ClientError

from standins.store import s3
from standins.warehouse import postgres

STANDINS = Path(postgres.__file__).parents[1]


def test_postgres_wants_the_password(
    postgres_server: postgres.Server, database: postgres.Database
) -> None:
    assert database.value("select current_user || '%'") == "postgres%"
    assert database.rows("select %s::int", (7,)) == [(7,)]
    wrong = postgres_server.database(database.name, password="wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        wrong.run("select 1")


def test_postgres_role_may_only_what_it_was_granted(
    postgres_server: postgres.Server, database: postgres.Database
) -> None:
    role = postgres_server.create_role(database)
    database.run("create table public.t (id int); create schema s")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        role.run("select * from public.t")
    database.run(f"grant select on public.t to {role.user}")
    assert role.rows("select * from public.t") == []


@pytest.mark.parametrize("script", ["warehouse/postgres.py", "store/s3.py"])
def test_process_tells_its_address_and_ends_with_its_parent(script: str) -> None:
    with subprocess.Popen(
        [sys.executable, STANDINS / script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert told["url"]
        process.stdin.close()
        assert process.wait(timeout=20) == 0


def test_s3_checks_nobody_without_iam(s3_open: s3.Store) -> None:
    bucket = s3_open.create_bucket()
    s3_open.put(bucket, "a", b"1")
    stranger = s3.Keys(access_key="nobody", secret_key="nothing")
    answer = s3_open.client(stranger).get_object(Bucket=bucket, Key="a")
    assert answer["Body"].read() == b"1"


def test_s3_checks_keys_and_policies_with_iam(s3_iam: s3.Store) -> None:
    bucket = s3_iam.create_bucket()
    s3_iam.put(bucket, "prod/a", b"1")
    resource = f"arn:aws:s3:::{bucket}/prod/*"
    statement = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": resource}
    user = s3_iam.create_user({"Version": "2012-10-17", "Statement": [statement]})
    assert s3_iam.client(user).get_object(Bucket=bucket, Key="prod/a")["Body"].read() == b"1"
    with pytest.raises(ClientError, match="AccessDenied"):
        s3_iam.client(user).put_object(Bucket=bucket, Key="prod/a", Body=b"2")
    stranger = s3.Keys(access_key="nobody", secret_key="nothing")
    with pytest.raises(ClientError, match="InvalidAccessKeyId"):
        s3_iam.client(stranger).get_object(Bucket=bucket, Key="prod/a")
