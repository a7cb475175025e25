"""The team's own queries: relations are put in, and nothing else of Jinja is run."""

from __future__ import annotations

from pathlib import Path

import pytest

from dbtdeploy.base import errors
from dbtdeploy.context.release_files import Spot
from dbtdeploy.warehouse import sql_files, sql_refs
from standins.jobs import builds, releases
from standins.jobs.releases import CUSTOMERS, ORDERS, node

SOURCE = {
    "unique_id": "source.shop.raw.orders",
    "resource_type": "source",
    "name": "orders",
    "source_name": "raw",
    "relation_name": '"db"."raw"."orders"',
}
OTHER = {
    **node("fct_orders"),
    "unique_id": "model.kit.fct_orders",
    "package_name": "kit",
    "relation_name": '"db"."kit"."fct_orders"',
}
V1 = {**node("prices", relation_name='"db"."a"."prices_v1"'), "version": 1, "latest_version": 2}
V2 = {**V1, "relation_name": '"db"."a"."prices_v2"', "version": 2}
V1["unique_id"], V2["unique_id"] = "model.shop.prices.v1", "model.shop.prices.v2"
SEED = builds.model("countries", kind="seed", relation_name='"db"."analytics"."countries"')
INLINED = node("inlined", materialized="ephemeral", relation_name=None)
ALL = (ORDERS, CUSTOMERS, OTHER, V1, V2, SEED, INLINED, SOURCE)
STAGED = {ORDERS["unique_id"]: Spot(database="db", schema='green "x"', identifier="fct_orders")}
RELATIONS = sql_refs.Relations.of(releases.manifest(ALL), STAGED)


def resolved(sql: str) -> str:
    return sql_refs.resolve(sql, "a.sql", RELATIONS)


@pytest.mark.parametrize(
    ("written", "relation"),
    [
        ("{{ ref('fct_orders') }}", '"db"."green ""x"""."fct_orders"'),
        ('{{ref("fct_orders")}}', '"db"."green ""x"""."fct_orders"'),
        ("{{- ref( 'dim_customers' ) -}}", '"db"."analytics"."dim_customers"'),
        ("{{ ref('kit', 'fct_orders') }}", '"db"."kit"."fct_orders"'),
        ("{{ ref('shop', 'fct_orders') }}", '"db"."green ""x"""."fct_orders"'),
        ("{{ ref('countries') }}", '"db"."analytics"."countries"'),
        ("{{ ref('prices') }}", '"db"."a"."prices_v2"'),
        ("{{ ref('prices', v=1) }}", '"db"."a"."prices_v1"'),
        ("{{ ref('prices', version='1') }}", '"db"."a"."prices_v1"'),
        ("{{ source('raw', 'orders') }}", '"db"."raw"."orders"'),
    ],
)
def test_relations_are_put_in(written: str, relation: str) -> None:
    assert resolved(f"select 1 from {written} x") == f"select 1 from {relation} x"


def test_without_staging_production_is_read() -> None:
    relations = sql_refs.Relations.of(releases.manifest(ALL), {})
    sql = sql_refs.resolve("select * from {{ ref('fct_orders') }}", "a.sql", relations)
    assert sql.endswith('from "db"."analytics"."fct_orders"')


@pytest.mark.parametrize(
    ("sql", "says"),
    [
        ("select {{ var('x') }}", "`{{ var('x') }}` is Jinja"),
        ("{% if true %} select 1 {% endif %}", "is Jinja that these files cannot have"),
        ("select 1 {# note #}", "is Jinja"),
        ("select {{ ref(model) }}", "its arguments are no literals"),
        ("select {{ ref('a' ", "is Jinja"),
        ("select * from {{ ref('nope') }}", "`{{ ref('nope') }}`: the project has no such model"),
        ("select * from {{ ref('kit', 'dim_customers') }}", "no such model"),
        ("select * from {{ ref('prices', v=3) }}", "no such model"),
        ("select * from {{ ref('inlined') }}", "it is ephemeral"),
        ("select * from {{ ref() }}", "it takes a name"),
        ("select * from {{ ref('fct_orders', x=1) }}", "it takes a name"),
        ("select * from {{ source('raw') }}", "it takes the source and the table"),
        ("select * from {{ source('raw', 'x') }}", "no such source"),
        ("", "it holds no query"),
        ("-- only words\n/* and more */ ;;", "it holds no query"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_file(sql: str, says: str) -> None:
    with pytest.raises(errors.InvalidInput) as refused:
        resolved(sql)
    assert refused.value.what.startswith("a.sql: ")
    assert says in refused.value.what


def test_a_name_that_two_packages_have_must_name_one() -> None:
    others = [{**OTHER, "unique_id": f"model.{p}.x", "package_name": p, "name": "x"} for p in "ab"]
    others[1] = {**others[1], "relation_name": '"db"."b"."x"'}
    relations = sql_refs.Relations.of(releases.manifest(others), {})
    with pytest.raises(errors.InvalidInput, match="more than one package has it"):
        sql_refs.resolve("select * from {{ ref('x') }}", "a.sql", relations)


def test_the_last_semicolon_goes() -> None:
    assert resolved("select 1 ;\n ; ") == "select 1"


def test_a_folder_of_queries(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "b.sql").write_text("select * from {{ ref('countries') }};\n", encoding="utf-8")
    (tmp_path / "deep" / "a.sql").write_text("\ufeffselect 1", encoding="utf-8")
    (tmp_path / "readme.md").write_text("{{ no }}", encoding="utf-8")
    found = sql_files.read(tmp_path, RELATIONS)
    assert [(one.name, one.sql) for one in found] == [
        ("b.sql", 'select * from "db"."analytics"."countries"'),
        ("deep/a.sql", "select 1"),
    ]


def test_no_folder_and_no_query_in_it_are_refused(tmp_path: Path) -> None:
    with pytest.raises(errors.InvalidInput, match="is no folder"):
        sql_files.read(tmp_path / "nope", RELATIONS)
    with pytest.raises(errors.InvalidInput, match=r"holds no \.sql file"):
        sql_files.read(tmp_path, RELATIONS)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.sql").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(errors.InvalidInput, match=r"a\.sql cannot be read"):
        sql_files.read(tmp_path, RELATIONS)
