"""The only reader of ``os.environ``: one small frozen dataclass per concern.

Inputs of action.yml arrive as ``DBT_DEPLOY_<INPUT>``; ``start_run.py`` reads them once and writes
what is not secret to ``run.json``. Secrets are read by the scripts that use them, never written.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import tempfile
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from dbtdeploy.base import certificates, dbt_variables, dotenv, errors, redact

PREFIX = "DBT_DEPLOY_"


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """The inputs that are not secret, as text, before anything is made of them."""

    command: str
    state: str
    project_dir: str
    profiles_dir: str
    profile: str
    target: str
    dbt_command: str
    select: str
    exclude: str
    selector: str
    vars: str
    threads: str
    full_refresh: str
    schema_prefix: str
    on_missing_state: str
    baseline_rows: str
    baseline_order_by: str
    fail_on_warnings: str
    hide_row_data: str
    shortcuts: str
    comment: str
    announce: str
    comment_author: str
    artifact_name: str
    dbt_args: str
    environment: str
    build: str
    source_freshness: str
    retries: str
    time_limit_minutes: str
    wait_minutes: str
    docs: str
    docs_location: str
    docs_url: str
    pull_request: str
    sweep: str
    older_than_days: str
    driver: str
    reason: str
    retention_days: str
    keep_versions: str
    dry_run: str
    tag: str
    main_branch: str
    method: str
    allow_breaking: str
    allow_older: str
    breaking_label: str
    allow_loss: str
    loss_label: str
    row_count_gate: str
    row_count_tolerance: str
    freshness_column: str
    freshness_hours: str
    checks: str
    production_tests: str
    smoke_target: str
    smoke_queries: str
    keep_hours: str
    reader_wait_ms: str
    grace_days: str
    attach_manifest: str
    version: str
    restore_incremental: str
    pass_env: str
    not_secret: str

    @classmethod
    def from_environ(
        cls, fields: Collection[str], environ: Mapping[str, str] = os.environ
    ) -> Inputs:
        """Read fields from ``DBT_DEPLOY_<FIELD>``; what is not set is empty.

        Args:
            fields: those that the action has. All others are empty, whatever the caller's job has
                among its variables. The command ``dbt`` is found by the action, and always read.
            environ: where to look.
        """
        return cls(
            **{
                name: environ.get(PREFIX + name.upper(), "").strip()
                if name in fields or name == "dbt_command"
                else ""
                for name in cls.__dataclass_fields__
            }
        )


@dataclass(frozen=True, kw_only=True)
class Setup:
    """What ``setup_environment.py`` makes, and where."""

    dbt: str
    """The input ``dbt``."""
    folder: Path
    """Holds both environments; worth caching as it is."""
    workspace: Path
    project_dir: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Setup:
        """Read DBT_DEPLOY_DBT, DBT_DEPLOY_ENV_FOLDER and DBT_DEPLOY_PROJECT_DIR."""
        temp = Path(environ.get("RUNNER_TEMP") or tempfile.gettempdir())
        workspace = Path(environ.get("GITHUB_WORKSPACE") or Path.cwd()).absolute()
        return cls(
            dbt=environ.get(PREFIX + "DBT", ""),
            folder=Path(
                environ.get(PREFIX + "ENV_FOLDER") or temp / "dbt-deploy-environment"
            ).absolute(),
            workspace=workspace,
            project_dir=workspace / environ.get(PREFIX + "PROJECT_DIR", "").strip(),
        )


@dataclass(frozen=True, kw_only=True)
class GitHubContext:
    """What GitHub tells every job."""

    event_name: str
    event_path: Path | None
    repository: str
    sha: str
    ref: str
    ref_name: str
    actor: str
    run_id: str
    run_attempt: str
    server_url: str
    workspace: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> GitHubContext:
        """Read GITHUB_*; see https://docs.github.com/actions/reference/workflows-and-actions/variables."""
        event_path = environ.get("GITHUB_EVENT_PATH")
        return cls(
            event_name=environ.get("GITHUB_EVENT_NAME", ""),
            event_path=Path(event_path) if event_path else None,
            repository=environ.get("GITHUB_REPOSITORY", ""),
            sha=environ.get("GITHUB_SHA", ""),
            ref=environ.get("GITHUB_REF", ""),
            ref_name=environ.get("GITHUB_HEAD_REF") or environ.get("GITHUB_REF_NAME", ""),
            actor=environ.get("GITHUB_ACTOR", ""),
            run_id=environ.get("GITHUB_RUN_ID", ""),
            run_attempt=environ.get("GITHUB_RUN_ATTEMPT", ""),
            server_url=environ.get("GITHUB_SERVER_URL", "https://github.com"),
            workspace=Path(environ.get("GITHUB_WORKSPACE") or Path.cwd()),
        )


@dataclass(frozen=True, kw_only=True)
class Runner:
    """Files the runner gives a step to write to; None outside Actions."""

    output: Path | None
    summary: Path | None
    temp: Path

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Runner:
        """Read GITHUB_OUTPUT, GITHUB_STEP_SUMMARY and RUNNER_TEMP."""
        output, summary = environ.get("GITHUB_OUTPUT"), environ.get("GITHUB_STEP_SUMMARY")
        return cls(
            output=Path(output) if output else None,
            summary=Path(summary) if summary else None,
            temp=Path(environ.get("RUNNER_TEMP") or tempfile.gettempdir()),
        )


@dataclass(frozen=True, kw_only=True)
class GitHubAccess:
    """How to reach GitHub's REST API; GITHUB_API_URL is that of GitHub Enterprise there."""

    api_url: str
    token: str = field(repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> GitHubAccess:
        """Read GITHUB_API_URL and DBT_DEPLOY_GITHUB_TOKEN."""
        return cls(
            api_url=environ.get("GITHUB_API_URL") or "https://api.github.com",
            token=environ.get(PREFIX + "GITHUB_TOKEN", ""),
        )


@dataclass(frozen=True, kw_only=True)
class StoreAccess:
    """How to reach the state store; what is None, boto3 finds in its own chain."""

    region: str | None
    endpoint_url: str | None
    access_key_id: str | None = field(default=None, repr=False)
    secret_access_key: str | None = field(default=None, repr=False)
    session_token: str | None = field(default=None, repr=False)
    sse: str | None = None
    """``AES256``, ``aws:kms`` or ``aws:kms:dsse``; the bucket's default if None."""
    sse_kms_key_id: str | None = None
    request_payer: str | None = None
    """``requester``, where the bucket's owner does not pay."""
    expected_bucket_owner: str | None = None
    """An account; a bucket of that name in another one is refused."""
    acl: str | None = None
    """Such as ``bucket-owner-full-control``, for what is written."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> StoreAccess:
        """Read DBT_DEPLOY_AWS_<FIELD>."""
        return cls(
            **{
                name: environ.get(f"{PREFIX}AWS_{name.upper()}") or None
                for name in cls.__dataclass_fields__
            }
        )


@dataclass(frozen=True, kw_only=True)
class Notifications:
    """Where people are told; only ``notify.py`` gets it. What is empty is told nothing."""

    slack_webhook_url: str = field(default="", repr=False)
    pagerduty_routing_key: str = field(default="", repr=False)
    pagerduty_url: str = ""
    webhook_url: str = field(default="", repr=False)
    webhook_secret: str = field(default="", repr=False)

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> Notifications:
        """Read every field from ``DBT_DEPLOY_<FIELD>``."""
        return cls(
            **{
                name: environ.get(PREFIX + name.upper(), "").strip()
                for name in cls.__dataclass_fields__
            }
        )


@dataclass(frozen=True, kw_only=True)
class DbtEnvironment:
    """The environment dbt runs in: what it is allowed of ours, with ``dbt-env`` laid over it."""

    variables: Mapping[str, str] = field(repr=False)
    secret: Mapping[str, str] = field(repr=False)
    """What ``dbt-env`` holds, without what ``not-secret`` names."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str] = os.environ) -> DbtEnvironment:
        """Read DBT_DEPLOY_DBT_ENV as KEY=VALUE lines, and what ``dbt_variables.py`` lets through.

        Raises:
            InvalidInput: a line of ``dbt-env`` is not KEY=VALUE; its number is named, not its text.
                ``pass-env`` holds a name that dbt never gets.
        """
        secret = dotenv.parse(environ.get(PREFIX + "DBT_ENV", ""))
        passed = dbt_variables.passed(environ.get(PREFIX + "PASS_ENV", ""))
        allowed = dbt_variables.allowed(environ, passed)
        public = _not_secret(environ)
        return cls(
            variables={**allowed, **secret},
            secret={name: value for name, value in secret.items() if name not in public},
        )


def in_actions(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether a runner of GitHub Actions, or act, runs this."""
    return environ.get("GITHUB_ACTIONS") == "true"


def on_github(repository: str, access: GitHubAccess) -> bool:
    """Whether there is a GitHub to ask: not on a laptop, nor in Airflow.

    A job of Actions without its token is on GitHub all the same, and must be refused.
    """
    return bool(repository and (access.token.strip() or in_actions()))


def job_status(environ: Mapping[str, str] = os.environ) -> str:
    """The job's status as the step gets it in DBT_DEPLOY_JOB_STATUS; empty outside Actions."""
    return environ.get(PREFIX + "JOB_STATUS", "")


def job_was_cancelled(environ: Mapping[str, str] = os.environ) -> bool:
    """Whether the job's status, as the step gets it in DBT_DEPLOY_JOB_STATUS, is cancelled."""
    return job_status(environ) == "cancelled"


def work_folder() -> Path:
    """The folder that holds the scripts' files.

    Raises:
        InvalidInput: DBT_DEPLOY_WORK is not set.
    """
    work = work_folder_if_known()
    if work is None:
        raise errors.InvalidInput(
            "DBT_DEPLOY_WORK is not set.",
            not_done="This step did nothing.",
            remedy="Set DBT_DEPLOY_WORK to the folder that start_run.py printed as `work`.",
        )
    return work


def work_folder_if_known() -> Path | None:
    """DBT_DEPLOY_WORK, if set."""
    work = os.environ.get(PREFIX + "WORK")
    return Path(work) if work else None


def dbt_target_path(project: Path, configured: str) -> Path:
    """Where dbt writes its artifacts: DBT_TARGET_PATH wins over dbt_project.yml, as in dbt.

    Args:
        project: the project's folder, absolute.
        configured: ``target-path`` of dbt_project.yml, or dbt's default.
    """
    named = os.environ.get("DBT_ENGINE_TARGET_PATH") or os.environ.get("DBT_TARGET_PATH")
    return (project / (named or configured)).resolve()


def redactor() -> redact.Redactor:
    """Hides every secret this process can see, and the lines of DBT_DEPLOY_REDACT.

    A ``dbt-env`` that cannot be parsed is hidden whole, line by line.
    """
    return _redactor(frozenset(os.environ.items()), _read(RELATIONS) or "[]", _read(SCHEMA))


@functools.lru_cache(maxsize=1)
def _redactor(environ: frozenset[tuple[str, str]], relations: str, schema: str) -> redact.Redactor:
    variables = dict(environ)
    raw = variables.get(PREFIX + "DBT_ENV", "")
    listed = variables.get(PREFIX + "REDACT", "").splitlines()
    # Whoever knows the address may write there, so it is a secret although its name is not one.
    listed += [variables.get(PREFIX + name, "") for name in ("SLACK_WEBHOOK_URL", "WEBHOOK_URL")]
    try:
        given = dotenv.parse(raw)
    except errors.InvalidInput:
        given = {}
        listed += raw.splitlines()
    public = _not_secret(variables)
    ours = {PREFIX + name for name in ("NOT_SECRET", "DBT_ENV", "REDACT", "PASS_ENV")}
    hidden = redact.secret_values(
        {name: text for name, text in variables.items() if name not in public | ours},
        listed,
        given={name: text for name, text in given.items() if name not in public},
        public=_stands_in_every(relations),
    )
    server = variables.get("GITHUB_SERVER_URL", "https://github.com")
    repository = variables.get("GITHUB_REPOSITORY", "")
    return redact.Redactor(hidden, public=redact.own_texts(server, repository, schema))


def _not_secret(environ: Mapping[str, str]) -> frozenset[str]:
    """The names that the input ``not-secret`` lists."""
    return frozenset(environ.get(PREFIX + "NOT_SECRET", "").replace(",", " ").split())


RELATIONS = "relations.json"
"""In the work folder: database and schema of each relation that dbt listed."""


def keep_relations(relations: Iterable[tuple[str, str]]) -> None:
    """Leave for ``redactor`` of later steps where the relations are; their names are shown."""
    found, work = sorted(set(relations)), work_folder_if_known()
    if found and work is not None and work.is_dir():
        (work / RELATIONS).write_text(json.dumps(found), encoding="utf-8")


SCHEMA = "schema.txt"
"""In the work folder: the name of the pull request's schema, which we made and which is shown."""


def keep_schema(work: Path, schema: str) -> None:
    """Leave the schema's name for ``redactor`` of later steps."""
    (work / SCHEMA).write_text(schema, encoding="utf-8")


def _read(name: str) -> str:
    work = work_folder_if_known()
    try:
        return (work / name).read_text(encoding="utf-8") if work else ""
    except (OSError, UnicodeDecodeError):
        return ""


def _stands_in_every(relations: str) -> Callable[[str], bool]:
    """Whether a value, the database's name for one, is part of the name of each relation."""
    try:
        names = ["\n".join(map(str, pair)).lower() for pair in json.loads(relations)]
    except (ValueError, TypeError, RecursionError):
        names = []
    return lambda value: bool(names) and all(value.strip().lower() in one for one in names)


def without_the_runners() -> dict[str, str]:
    """The environment for git and the project's packages; see ``dbt_variables.py``."""
    return dbt_variables.without_the_runners(os.environ)


def for_installers() -> dict[str, str]:
    """The environment for uv and pip, which then trust the certificates that the system trusts."""
    return {**without_the_runners(), **certificates.for_installers(os.environ)}


def ca_bundle(*names: str) -> str | None:
    """The file of certificate authorities that our own clients trust; see ``certificates.py``.

    Args:
        names: variables that name it for one client.
    """
    return certificates.bundle(os.environ, *names)


def script_name() -> str:
    """The running script's file name, for messages."""
    return Path(sys.argv[0]).name


def crash_at(environ: Mapping[str, str] = os.environ) -> str | None:
    """DBT_DEPLOY_CRASH_AT, the point at which a test kills this process; see ``crash.py``.

    None without DBT_DEPLOY_TEST=1, so that no stray variable can end a deploy.
    """
    if environ.get(PREFIX + "TEST") != "1":
        return None
    return environ.get(PREFIX + "CRASH_AT") or None
