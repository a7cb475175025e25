"""What is opened for a script writes no secrets, wherever it is written to."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from dbtdeploy.store import conditional_write_check, environment_settings, in_flight, store_location
from dbtdeploy.store.environment_settings import EnvironmentSettings, Hold
from dbtdeploy.store.object_store import Store
from dbtdeploy.store.publication import versions

SECRET = "planted-secret"


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setenv("DBT_DEPLOY_DBT_ENV", f"A={SECRET}")
    monkeypatch.setenv("GITHUB_WORKSPACE", str(tmp_path))
    (tmp_path / "store").mkdir()
    return store_location.opened("store")


@pytest.mark.fault(64)
def test_records_are_written_without_secrets_and_read_back(store: Store, tmp_path: Path) -> None:
    conditional_write_check.check_conditional_writes(store)
    hold = Hold(reason=f"it has {SECRET}", by="mona", since="2026-11-30T00:00:00Z")
    environment_settings.change(store, lambda _: EnvironmentSettings(hold=hold))
    record = in_flight.InFlight(
        what="rollback",
        release_id="r1",
        tag="v1",
        phase="rolling-back",
        environment="production",
        project="shop",
        reason=f"of {SECRET.upper()}",
    )
    in_flight.write(store, record)
    found = environment_settings.read(store).hold
    assert found is not None
    assert found.reason == "it has ***"
    there = in_flight.read(store)
    assert there is not None
    assert (there.reason, there.tag) == ("of ***", "v1")
    left = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert SECRET.encode() not in left.lower()


@pytest.mark.parametrize(
    ("key", "content_type"),
    [
        ("versions/a/manifest.json.gz", "application/gzip"),
        (versions.LATEST + "manifest.json", "application/json"),
        (versions.DOCS, "text/html; charset=utf-8"),
    ],
)
def test_artifacts_pass_as_they_are_for_they_come_redacted(
    store: Store, key: str, content_type: str
) -> None:
    body = gzip.compress(json.dumps({"schema": SECRET}).encode())
    store.put(key, body, content_type=content_type)
    stored = store.get(key)
    assert stored is not None
    assert stored.body == body
    assert [one.key for one in store.list("")] == [key]
    assert store.location in store.address(key)
    store.delete(key)
    assert store.get(key) is None
