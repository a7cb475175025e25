"""Which variables of the job's environment dbt gets, and the project's code with it. Pure.

An allow-list: what a job's environment holds beside these is not dbt's business, and part of it are
the runner's keys: a token for OpenID Connect, the files that set variables, ``PATH`` and outputs of
later steps.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from dbtdeploy.base import errors

NAMES = frozenset(
    {
        # The locale, and where programs, files of the user and temporary files are.
        *("LANG", "LANGUAGE", "TZ", "TERM", "SHELL", "HOME", "PATH", "USER", "LOGNAME"),
        *("TMPDIR", "TEMP", "TMP", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME"),
        # What drivers are found by: actions/setup-python and setup-java set them.
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "JAVA_HOME", "ODBCINI", "ODBCSYSINI"),
        # Proxies and certificates, in lower case too.
        *("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"),
        *("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
        *("GIT_SSL_CAINFO", "NODE_EXTRA_CA_CERTS"),
        # `dbt deps` fetches private packages by git.
        *("SSH_AUTH_SOCK", "GIT_SSH_COMMAND", "GIT_ASKPASS"),
    }
)

LOWER_CASE_TOO = frozenset(name for name in NAMES if name.endswith("_PROXY"))

PREFIXES = (
    "LC_",
    # dbt's own settings, and what callers name after it.
    "DBT_",
    # What steps before this one set for the warehouse.
    *("AWS_", "AZURE_", "ARM_", "GOOGLE_", "GCLOUD_", "GCP_", "CLOUDSDK_"),
    *("PG", "SNOWFLAKE_", "DATABRICKS_"),
)

OURS = "DBT_DEPLOY_"
"""Our own inputs, the store's keys and tokens among them; dbt gets only ``DBT_DEPLOY_SCHEMA``, from
us."""

NEVER = ("ACTIONS_", "GITHUB_", "RUNNER_", "INPUT_", OURS)
"""What the runner gives a step for itself, and what callers give us."""

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def allowed(environ: Mapping[str, str], passed: Iterable[str] = ()) -> dict[str, str]:
    """The part of an environment that dbt gets.

    Args:
        environ: all of it.
        passed: names that the input ``pass-env`` adds.
    """
    more = frozenset(passed)
    return {
        name: value
        for name, value in environ.items()
        if not _is_never(name)
        and (
            name in NAMES
            or name.upper() in LOWER_CASE_TOO
            or name.startswith(PREFIXES)
            or name in more
        )
    }


def without_the_runners(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment without what the runner and callers give a step for itself.

    For programs that build packages or read a repository: they need more than dbt does, such as
    compilers and package indexes, and may run code of the project all the same.
    """
    return {name: value for name, value in environ.items() if not _is_never(name)}


def names(text: str, *, input_name: str) -> tuple[str, ...]:
    """The names that an input lists, divided by blanks, commas or newlines.

    Raises:
        InvalidInput: one is no name of a variable.
    """
    found = tuple(text.replace(",", " ").split())
    for name in found:
        if not NAME.fullmatch(name):
            raise errors.InvalidInput(
                f"The input `{input_name}` holds `{name}`, which is not the name of a variable.",
                not_done="Nothing was started, nothing was written.",
                remedy="List names of variables, one a line.",
            )
    return found


def passed(text: str) -> tuple[str, ...]:
    """The names that the input ``pass-env`` lists.

    Raises:
        InvalidInput: one is no name, or is one that dbt never gets.
    """
    found = names(text, input_name="pass-env")
    for name in found:
        if _is_never(name):
            raise errors.InvalidInput(
                f"The input `pass-env` holds `{name}`, which dbt never gets.",
                not_done="Nothing was started, nothing was written.",
                remedy="Variables of the runner stay out of the reach of the project's code. Set "
                "one of another name in the job's `env`, such as `MY_SHA: ${{ github.sha }}`, "
                "and list that.",
            )
    return found


def _is_never(name: str) -> bool:
    return name.startswith(NEVER)
