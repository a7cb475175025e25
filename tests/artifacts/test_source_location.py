from __future__ import annotations

import json
from typing import Any

import pytest

from dbtdeploy.artifacts import artifacts, source_location
from dbtdeploy.base import json_codec

FILES = ("models/_x.yml", "models/a b/x y.yml", "seeds/at it.csv")


def find(path: str) -> str | None:
    """Like that of a project with these files."""
    known = [file for file in FILES if file == path or file.endswith("/" + path)]
    return known[0] if known else None


SQL = """\


{{ config(materialized='table') }}

select
    customer_id,
    sum(amont) as total
from {{ ref('orders') }}
group by 1
"""

YML = """\
version: 2
models:
  - name: other
    columns:
      - name: id
        tests: [unique]
  - name: orders
    data_tests:
      - dbt_utils.equal_rowcount:
          compare_model: ref('other')
      - own_name:
          name: a_name_of_its_own
    columns:
      - name: id
        data_tests:
          - unique
          - not_null: {config: {severity: warn}}
      - name: status
        data_tests:
          - accepted_values:
              values: [a, b]
          - accepted_values:
              arguments:
                values: [c]
          - name: third
            test_name: accepted_values
            arguments: {values: [d]}
sources:
  - name: raw
    tables:
      - name: payments
        columns:
          - name: id
            tests:
              - unique
unit_tests:
  - name: sums_up
    model: orders
"""


def node(**fields: Any) -> artifacts.Node:
    return json_codec.decode(json.dumps(fields), artifacts.Node)


ORDERS = node(name="orders", resource_type="model")
PAYMENTS = node(name="payments", resource_type="source", source_name="raw")


def generic(
    kind: str, column: str | None, name: str = "long_name", **kwargs: Any
) -> artifacts.Node:
    space, _, plain = kind.rpartition(".")
    return node(
        name=name,
        resource_type="test",
        column_name=column,
        test_metadata={"name": plain, "namespace": space or None, "kwargs": kwargs},
    )


@pytest.mark.parametrize(
    ("test", "owner", "line"),
    [
        (generic("unique", "id"), ORDERS, 16),
        (generic("not_null", "id"), ORDERS, 17),
        (generic("accepted_values", "status", values=["a", "b"]), ORDERS, 20),
        (generic("accepted_values", "status", values=["c"]), ORDERS, 22),
        (generic("accepted_values", "status", name="third", values=["d"]), ORDERS, 25),
        (generic("dbt_utils.equal_rowcount", None, compare_model="ref('other')"), ORDERS, 9),
        (generic("own_name", None, name="a_name_of_its_own"), ORDERS, 11),
        (generic("unique", "id"), PAYMENTS, 35),
        (node(name="sums_up", resource_type="unit_test"), None, 37),
        (generic("relationships", "id"), ORDERS, None),
        (generic("unique", "nowhere"), ORDERS, None),
        (generic("unique", "id"), node(name="nobody", resource_type="model"), None),
        (generic("unique", "id"), None, None),
        (node(name="absent", resource_type="unit_test"), None, None),
    ],
)
def test_the_line_of_a_test(
    test: artifacts.Node, owner: artifacts.Node | None, line: int | None
) -> None:
    assert source_location.line_of_test(test, owner, YML) == line


@pytest.mark.parametrize("yml", ["", "[", "models: 3", "models:\n  - 3\n  - name: [orders]", "- a"])
def test_a_yml_of_another_shape_gives_no_line(yml: str) -> None:
    assert source_location.line_of_test(generic("unique", "id"), ORDERS, yml) is None


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ('column "amont" does not exist\nLINE 14:     sum(amont) as total\n', 7),
        ("syntax error\nLINE 3: ...sum(amont)   as total...\n", 7),
        # Rendered Jinja stands in no source; the column's name still does, once.
        ('column "o.amont" does not exist\nLINE 2: from "db"."s"."orders" o\n', 7),
        ("LINE 14: from nowhere\n", None),
        ("LINE 14: )\n", None),
        ("'nope' is undefined\n  line 2\n    {{ nope() }}", 4),
        ("something else", None),
        ("line 999", None),
    ],
)
def test_the_line_of_an_error_is_that_of_the_source(message: str, line: int | None) -> None:
    assert source_location.line_of_error(message, SQL) == line


def test_a_snippet_that_stands_twice_gives_no_line() -> None:
    assert source_location.line_of_error("LINE 1: select id", "select id\nunion\nselect id") is None


@pytest.mark.parametrize(
    ("message", "file", "line"),
    [
        (
            "Compilation Error in model x (models/a b/x.sql)\n  unexpected\n    line 2\n   {{",
            "models/a b/x.sql",
            2,
        ),
        ("Model 'model.shop.x' (models/x.sql) depends on a node named 'y'", "models/x.sql", None),
        (
            "Error reading shop: _x.yml - Runtime Error\n    Syntax error near line 3",
            "models/_x.yml",
            3,
        ),
        ("Invalid models config given in models/_x.yml @ models: {", "models/_x.yml", None),
    ],
)
def test_where_dbt_says_an_error_is(message: str, file: str, line: int | None) -> None:
    assert source_location.place_in_message(message, find) == source_location.SourceLocation(
        file=file, line=line
    )


@pytest.mark.fault(62)
@pytest.mark.parametrize(
    "message",
    [
        "The schema file at {} is invalid because the value of 'models' is not a list",
        "The yml property file at {} is invalid because no name was given. Please see",
        "Unexpected yaml_key models for patch in file {}",
        "model a (referenced in path {}) is not there",
        "Error reading shop: {} - Runtime Error",
        "In {}: found meta dictionary in 'config' dictionary and as top-level key.",
        "dbt found two schema.yml entries for the same resource: remove one\n - {}\n - other.yml",
        "'{}' is not valid",
        "{}: not a mapping",
    ],
)
@pytest.mark.parametrize("file", ["models/_x.yml", "models/a b/x y.yml", "seeds/at it.csv"])
def test_a_file_is_found_in_whatever_words_dbt_names_it(message: str, file: str) -> None:
    found = source_location.place_in_message(message.format(file), find)
    assert found is not None
    assert found.file == file


def test_a_message_without_a_file() -> None:
    assert source_location.place_in_message("Database\n  refused (5432)", find) is None
    assert source_location.place_in_message("see the file at nowhere/x.yml", find) is None
