"""Secrets out of text."""

from __future__ import annotations

import json

import pytest

from dbtdeploy.base import markdown, redact


def hide(text: str, environment: dict[str, str], *listed: str) -> str:
    return redact.redactor(redact.secret_values(environment, listed))(text)


@pytest.mark.fault(51)
@pytest.mark.parametrize(
    "name",
    [
        *("DBT_ENV_SECRET_X", "PGPASSWORD", "db_password", "API_TOKEN", "MY_SECRET"),
        *("SSH_KEY_FILE", "DBT_PASS", "DB_PWD", "SSH_PASSPHRASE", "GCP_CREDENTIALS"),
    ],
)
def test_values_of_names_like_a_secrets_are_hidden(name: str) -> None:
    assert hide("login with s3cr3t failed", {name: "s3cr3t"}) == "login with *** failed"


def test_other_values_stay() -> None:
    assert hide("in /srv/shop", {"PWD": "/srv", "OLDPWD": "/srv"}) == "in /srv/shop"
    assert hide("database analytics", {"DBT_DATABASE": "analytics"}) == "database analytics"


@pytest.mark.fault(51)
def test_what_is_listed_is_hidden_however_short() -> None:
    assert hide("a pin of 42", {}, "42", "", "  ") == "a pin of ***"


@pytest.mark.fault(51)
def test_short_values_are_hidden_only_where_they_are_surely_secret() -> None:
    assert hide("id of ab", {"SORT_KEY": "id", "DBT_ENV_SECRET_A": "ab"}) == "id of ***"


@pytest.mark.fault(51)
def test_other_spellings_are_hidden() -> None:
    secret = "p@ss'w\"rd/ö x"
    said = [
        f"postgresql://u:{'p%40ss%27w%22rd%2F%C3%B6%20x'}@h/db",
        json.dumps({"password": secret}),
        json.dumps({"password": secret}, ensure_ascii=False),
        "password = '" + secret.replace("'", "''") + "'",
    ]
    for text in said:
        assert "ss" not in hide(text, {"PASSWORD": secret}).replace("password", "")


@pytest.mark.fault(51)
def test_a_secret_is_hidden_in_markdown_too() -> None:
    hide = redact.redactor(redact.secret_values({"DBT_ENV_SECRET_X": "dbt_prod*7"}))
    assert hide(f"The role {markdown.inline('dbt_prod*7')} lacks") == "The role *** lacks"


@pytest.mark.fault(51)
def test_each_line_of_a_private_key_is_hidden() -> None:
    key = "-----BEGIN KEY-----\nAAAABBBB\n-----END KEY-----"
    assert hide("line AAAABBBB", {"SNOWFLAKE_PRIVATE_KEY": key}) == "line ***"


def test_a_secret_inside_another_leaves_nothing_behind() -> None:
    assert hide("abcdefgh", {"A_TOKEN": "abcdefgh", "B_TOKEN": "cdef"}) == "***"


def test_nothing_to_hide_hides_nothing() -> None:
    assert hide("text", {}) == "text"


@pytest.mark.fault(46)
def test_an_output_that_github_would_drop_is_noticed() -> None:
    outputs = {"schema": "pr_1_shop", "status": "passed"}
    assert redact.dropped_outputs(outputs, ["shop"]) == ["schema"]


def test_masked_are_the_values_of_dbt_env_but_not_what_everybody_sees() -> None:
    secret = {"DBT_DATABASE": "shop", "DBT_HOST": "db.internal", "PORT": "1", "PASSWORD": "shop"}
    assert redact.masked_values(secret, ["pr_1_shop"]) == ["db.internal", "shop"]
    del secret["PASSWORD"]
    assert redact.masked_values(secret, ["pr_1_shop"]) == ["db.internal"]
