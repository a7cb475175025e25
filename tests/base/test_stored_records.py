"""Our records leave without secrets, and with all that the next run finds things by."""

from __future__ import annotations

import json

import msgspec
import pytest

from dbtdeploy.base import redact, stored_records
from dbtdeploy.context import deploy_files, release_files
from dbtdeploy.store import environment_settings, in_flight, pull_request_registry
from dbtdeploy.store.lease.lease_record import Lease
from dbtdeploy.store.publication import versions

SECRET = "planted/secret"
RECORDS: tuple[type[msgspec.Struct], ...] = (
    Lease,
    versions.Pointer,
    versions.Index,
    versions.StoredObject,
    in_flight.InFlight,
    environment_settings.EnvironmentSettings,
    environment_settings.Hold,
    pull_request_registry.RegisteredPullRequest,
    deploy_files.Dependent,
    release_files.ReleaseRecord,
    release_files.SwappedNode,
    release_files.ReleasePlan,
    release_files.ReleaseNode,
    release_files.RemovedNode,
    release_files.Gate,
    release_files.Spot,
    release_files.Column,
)
"""All that is put into a store but dbt's own artifacts, and what is in it."""

hide = redact.Redactor(redact.secret_values({}, given={"A": SECRET}))


@pytest.mark.fault(64)
@pytest.mark.parametrize("record", RECORDS)
def test_a_secret_stays_only_where_something_is_found_by_it(record: type[msgspec.Struct]) -> None:
    planted = dict.fromkeys(record.__struct_fields__, f"said {SECRET}")
    made = json.loads(stored_records.redacted(json.dumps(planted).encode(), hide))
    left = {field for field, text in made.items() if SECRET in text}
    assert left == set(record.__struct_fields__) & stored_records.KEPT
    assert {made[field] for field in made.keys() - left} <= {"said ***"}


def test_no_words_of_people_or_programs_are_kept_and_no_field_is_listed_in_vain() -> None:
    words = {"reason", "problem", "command", "by", "holder", "purpose", "details", "figures"}
    words |= {"remedy", "created_by", "moved_by", "broken_by", "breaking", "reasons", "outside"}
    fields = {field for record in RECORDS for field in record.__struct_fields__}
    assert words <= fields
    assert words.isdisjoint(stored_records.KEPT)
    assert stored_records.KEPT - fields == set()


def test_a_record_without_secrets_stays_byte_for_byte() -> None:
    content = b'{"reason" : "none \\u003c"}\n'
    assert stored_records.redacted(content, hide) is content


def test_a_record_is_clean_before_its_digest_is_taken() -> None:
    index = versions.Index(
        version="v", environment=SECRET, project="shop", kind="deploy", created_at="", objects={},
        problem=f"it said {SECRET}", command="dbt build",
    )  # fmt: skip
    made = stored_records.clean(index, hide)
    assert (made.environment, made.problem, made.command) == (SECRET, "it said ***", "dbt build")
    assert stored_records.redacted(versions.encode(made), hide) == versions.encode(made)
