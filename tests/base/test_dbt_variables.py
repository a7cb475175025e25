"""Which variables dbt gets."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from dbtdeploy.base import dbt_variables, errors, settings

RUNNERS = {
    "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "t",
    "ACTIONS_ID_TOKEN_REQUEST_URL": "u",
    "ACTIONS_RUNTIME_TOKEN": "t",
    "GITHUB_ENV": "/e",
    "GITHUB_PATH": "/p",
    "GITHUB_OUTPUT": "/o",
    "GITHUB_STEP_SUMMARY": "/s",
    "GITHUB_TOKEN": "ghs",
    "RUNNER_TEMP": "/t",
    "INPUT_GITHUB-TOKEN": "ghs",
    "DBT_DEPLOY_GITHUB_TOKEN": "ghs",
    "DBT_DEPLOY_AWS_SECRET_ACCESS_KEY": "k",
    "DBT_DEPLOY_WEBHOOK_SECRET": "w",
    "DBT_DEPLOY_DBT_ENV": "A=b",
    "DBT_DEPLOY_WORK": "/w",
}


def of_dbt(**environ: str) -> dict[str, str]:
    return dict(settings.DbtEnvironment.from_environ(environ).variables)


@pytest.mark.fault(65)
def test_what_is_the_runners_or_ours_never_reaches_dbt() -> None:
    assert of_dbt(**RUNNERS) == {"A": "b"}


@pytest.mark.fault(65)
def test_dbt_gets_the_machines_its_own_and_the_warehouses_variables_and_no_other() -> None:
    wanted = {
        *("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "USER", "https_proxy", "NO_PROXY"),
        *("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "LD_LIBRARY_PATH", "DBT_TARGET_PATH"),
        *("DBT_ENV_SECRET_X", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS", "PGSSLROOTCERT"),
        *("AZURE_CLIENT_ID", "CLOUDSDK_PROJECT"),
    }
    others = {"SLACK_TOKEN": "t", "NPM_TOKEN": "t", "MY_SCHEMA": "s", "ssl_cert_file": "f"}
    assert set(of_dbt(**dict.fromkeys(wanted, "x"), **others)) == wanted


@pytest.mark.fault(65)
def test_the_documentation_names_all_that_dbt_gets() -> None:
    text = (Path(__file__).parents[2] / "docs/security.md").read_text(encoding="utf-8")
    part = text.partition("\n## What dbt gets of the job's environment\n")[2].partition("\n## ")[0]
    listed, _, never = part.partition("Never ")
    names = {*dbt_variables.NAMES, *(f"{prefix}*" for prefix in dbt_variables.PREFIXES)}
    assert set(re.findall(r"`([A-Z][A-Z_]*\*?)`", listed)) == names
    assert {f"{prefix}*" for prefix in dbt_variables.NEVER} <= set(re.findall(r"`([^`]*)`", never))


def test_pass_env_adds_names_and_dbt_env_wins() -> None:
    environ = {
        "DBT_DEPLOY_PASS_ENV": "MY_SCHEMA, OTHER\nNOT_SET",
        "DBT_DEPLOY_DBT_ENV": "OTHER=secret",
        "MY_SCHEMA": "s",
        "OTHER": "o",
    }
    assert of_dbt(**environ) == {"MY_SCHEMA": "s", "OTHER": "secret"}


@pytest.mark.fault(65)
@pytest.mark.parametrize("name", ["GITHUB_ENV", "ACTIONS_RUNTIME_TOKEN", "DBT_DEPLOY_WORK"])
def test_pass_env_cannot_name_what_dbt_never_gets(name: str) -> None:
    with pytest.raises(errors.InvalidInput, match=name):
        dbt_variables.passed(f"MINE {name}")


def test_pass_env_holds_names_only() -> None:
    with pytest.raises(errors.InvalidInput, match="A=b"):
        dbt_variables.passed("A=b")
