"""dbt's own error message -> what its reader should do. Pure.

The message itself is always shown beside it; this only points to the place to mend.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from dbtdeploy.base import text
from dbtdeploy.context.work_files import LogError

_TIMEOUT = (
    r"due to statement timeout",
    "The role of this job's profile has a `statement_timeout` that is too short for it. Raise it "
    "for that role, such as by `ALTER ROLE <role> SET statement_timeout = 0;`, or in the profile.",
)

_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        r"Env var required but not provided",
        "dbt gets only part of the job's environment. Set that variable as a line of the secret "
        "`dbt-env`; or in the job's `env`, and list its name in the input `pass-env`.",
    ),
    (
        # dbt gives None for a DBT_ENV_SECRET_* that is not set.
        r"Credentials in profile .* invalid",
        "A value of that target in profiles.yml is missing or wrong. Check that each variable it "
        "reads is a line of the secret `dbt-env`, or is in the job's `env` and listed in the input "
        "`pass-env`.",
    ),
    (
        r"Could not find profile named|No profiles\.yml|does not have a target named"
        r"|Could not run dbt|profiles\.yml|'--profiles-dir'"
        # The folder in which dbt looks by itself.
        r"|Path '.*\.dbt' does not exist",
        "Check the inputs `profiles-dir`, `profile` and `target` against profiles.yml.",
    ),
    (
        r"password authentication failed|[Aa]ccess denied|[Ii]ncorrect username or password",
        "Check the user and password that profiles.yml reads, in the secret `dbt-env`.",
    ),
    (
        r"could not connect|[Cc]onnection refused|could not translate host name|timeout expired"
        r"|connection to server|server closed the connection",
        "The warehouse did not answer. Check the host and port in the profile, and that it lets "
        "GitHub's runners in; then run the job again.",
    ),
    _TIMEOUT,
    (
        # Where PostgreSQL does not say on what; other warehouses say it in words of their own.
        r"permission denied",
        "Grant that right to the role of this job's profile.",
    ),
    (
        r"dbt deps|packages? (was|were|is|are) not (found|installed)|Could not find a matching"
        r"|[Pp]ackage .* (not found|was not found)|hub\.getdbt\.com",
        "Check packages.yml, and that the runner reaches where the packages come from; `dbt deps` "
        "on a laptop shows the same fault.",
    ),
    (
        r"Compilation Error|Parsing Error|Syntax error|Unable to parse|depends on .* which was not",
        "Mend the file that dbt names; `dbt parse` on a laptop shows the same fault.",
    ),
)

FALLBACK = "The step's log holds all that dbt printed."


DENIED = re.compile(r"permission denied for (schema|table|view|relation|sequence|database) (.+)")
"""PostgreSQL's words; the name is not quoted there, and goes on to the end of the line."""

GRANTS = {
    "schema": "GRANT USAGE ON SCHEMA {} TO <role>;",
    "sequence": "GRANT USAGE ON SEQUENCE {} TO <role>;",
    "database": "GRANT CREATE ON DATABASE {} TO <role>;",
}


def remedy_for(said: str) -> str:
    """The first remedy that fits what dbt said, or where to look."""
    denied = DENIED.search(said)
    if denied is not None:
        kind, shown = denied[1], text.identifier(denied[2].strip())
        grant = GRANTS.get(kind, "GRANT SELECT ON {} TO <role>;").format(shown)
        building = " Add CREATE if it builds in that schema." if kind == "schema" else ""
        return (
            f"Let the owner, or a superuser, run\n    {grant}\n"
            f"with the role of this job's profile.{building}"
        )
    for pattern, remedy in _REMEDIES:
        if re.search(pattern, said):
            return remedy
    return FALLBACK


def remedy_for_node(said: str | None) -> str:
    """What a node's own words ask of whoever sets its warehouse up; empty where it is its SQL."""
    pattern, remedy = _TIMEOUT
    return remedy if said and re.search(pattern, said) else ""


def message(errors: Iterable[LogError], last_lines: Iterable[str]) -> str:
    """What dbt said, once each; its last lines where it logged no error."""
    said = list(dict.fromkeys(error.message for error in errors))
    return "\n\n".join(said) if said else "\n".join(line for line in last_lines if line.strip())
