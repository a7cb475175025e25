"""Names and marks of a release's schemas: within PostgreSQL's limits, and read back as written."""

from __future__ import annotations

from datetime import datetime, timezone

import pytest

from dbtdeploy.warehouse import release_schemas
from dbtdeploy.warehouse.release_macro_types import ReleaseScope

ID = "20261125t231502ab12"


@pytest.mark.fault(25)
@pytest.mark.parametrize("project", ["shop", "x" * 80, "Größe", "a__b", "", "a-b", "'; drop"])
def test_a_staging_schema_leaves_room_and_needs_no_quotes(project: str) -> None:
    name = release_schemas.staging_schema(ID, project)
    assert len(name.encode()) <= 40
    assert set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")
    assert name.startswith(f"dbt_green_{ID}")


def test_different_projects_have_different_staging_schemas() -> None:
    projects = ["a_b", "a__b", "A_b", "a-b", "long_project_name_1", "long_project_name_2"]
    assert len({release_schemas.staging_schema(ID, project) for project in projects}) == len(
        projects
    )


@pytest.mark.fault(115)
def test_a_long_custom_schema_has_room_behind_a_short_staging_schema() -> None:
    project = "a_project_with_a_rather_long_name"
    for longest in (1, 23, 24, 41):
        name = release_schemas.staging_schema(ID, project, longest=longest)
        assert len(name) + longest <= 63
        assert name.startswith(f"dbt_green_{ID}") is (longest <= 23)
    assert name != release_schemas.staging_schema(ID, "another", longest=41)


@pytest.mark.fault(25)
@pytest.mark.parametrize("schema", ["analytics", "x" * 63, "ö" * 31, "😀" * 15, 'Mart "s'])
def test_a_keeping_schema_fits_and_is_its_own(schema: str) -> None:
    kept, undone = (
        release_schemas.kept_schema(schema, ID, "0a1b2c3d"),
        release_schemas.undone_schema(schema, ID, "0a1b2c3d"),
    )
    assert len(kept.encode()) <= 63
    assert len(undone.encode()) <= 63
    assert kept.endswith(f"__kept_{ID}_0a1b2c3d")
    assert undone.endswith(f"__undone_{ID}_0a1b2c3d")
    assert release_schemas.kept_schema(schema + "1", ID, "0a1b2c3d") != kept


@pytest.mark.parametrize("role", ["staging", "kept", "undone"])
def test_a_mark_is_read_back(role: release_schemas.Role) -> None:
    place = ReleaseScope(environment="prod / 1", project="shöp=x")
    mark = release_schemas.mark(place, ID, role, since="2026-11-25T23:15:02.000+00:00")
    read = release_schemas.read_mark(mark)
    assert read is not None
    assert (read.place, read.release_id, read.role) == (place, ID, role)
    assert read.since == datetime(2026, 11, 25, 23, 15, 2, tzinfo=timezone.utc)
    assert mark.startswith(release_schemas.prefix(place))
    assert mark.startswith(release_schemas.first_line(place, ID, role) + "\n")


@pytest.mark.parametrize(
    "comment",
    [
        "",
        "dbt-deploy repository=o/r project=shop target=ci pull_request=1",
        "dbt-deploy environment=prod project=shop release=1 role=other",
        "dbt-deploy environment=prod project=shop release=1 role=kept more",
        " dbt-deploy environment=prod project=shop release=1 role=kept",
        "dbt-deploy environment=pr/od project=shop release=1 role=kept",
    ],
)
def test_what_is_not_exactly_ours_is_no_mark(comment: str) -> None:
    assert release_schemas.read_mark(comment) is None
