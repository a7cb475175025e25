"""The one table of inputs: their names, defaults and words, and which action has which.

``make inputs`` (``tools/make_inputs.py``) writes from it the ``inputs`` of each action.yml, the
variables of the step that reads them, what the reusable workflows take and hand on, and
``docs/inputs.md``. ``start_run.py`` reads the inputs of its own command, and no others that the
caller's job may have among its variables.
"""

from __future__ import annotations

from dataclasses import dataclass

CI, DEPLOY, RELEASE, ROLLBACK = "ci", "deploy", "release", "rollback"
TEARDOWN, CLEAN_UP, STORE = "teardown", "clean-up", "store"
FORK_COMMENT = "fork-comment"

ACTIONS = (CI, DEPLOY, RELEASE, ROLLBACK, TEARDOWN, CLEAN_UP, STORE, FORK_COMMENT)
"""Each has a folder with an action.yml; that of ``ci`` is the root's too."""

WITH_DBT = (CI, DEPLOY, RELEASE, ROLLBACK, TEARDOWN, CLEAN_UP)
WITH_STORE = (*WITH_DBT, STORE)
BUILDING = (CI, DEPLOY, RELEASE)
IN_PRODUCTION = (DEPLOY, RELEASE, ROLLBACK, CLEAN_UP)
TELLING = (DEPLOY, RELEASE, ROLLBACK)


@dataclass(frozen=True, kw_only=True)
class Input:
    """One row. An input whose words or default differ between actions has a row for each."""

    name: str
    text: str
    """What it is, for people; a whole sentence."""
    actions: tuple[str, ...] = ()
    workflows: tuple[str, ...] | None = None
    """The actions whose reusable workflow has it; those of ``actions`` if None."""
    default: str = ""
    workflow_default: str | None = None
    """Where a workflow's differs, on purpose."""
    type: str = "string"
    """A workflow's ``string``, ``boolean`` or ``number``; an action gets text."""
    required: bool = False
    secret: bool = False
    """A workflow takes it as a secret, and only the steps that need it get it."""
    setting: bool = True
    """Whether ``start_run.py`` reads it; if not, the steps that need it name it."""

    @property
    def in_workflows(self) -> tuple[str, ...]:
        """The actions whose reusable workflow has it."""
        return self.actions if self.workflows is None else self.workflows

    @property
    def variable(self) -> str:
        """The variable that an action hands it to a script by."""
        return f"DBT_DEPLOY_{self.name.upper().replace('-', '_')}"


def of_action(action: str) -> tuple[Input, ...]:
    """The inputs of one action, in the table's order."""
    return tuple(row for row in TABLE if action in row.actions)


def of_workflow(action: str) -> tuple[Input, ...]:
    """What the reusable workflow of one action takes, secrets included."""
    return tuple(row for row in TABLE if action in row.in_workflows)


def settings_of(action: str) -> tuple[Input, ...]:
    """The inputs of one action that ``start_run.py`` reads."""
    return tuple(row for row in of_action(action) if row.setting)


def fields_of(action: str) -> frozenset[str]:
    """Their names as fields of ``settings.Inputs``."""
    return frozenset(row.name.replace("-", "_") for row in settings_of(action))


TABLE = (
    Input(
        name="command",
        text="What to do, `status`, `versions`, `prune`, `drive`, `hold`, `lift-hold` or "
        "`break-lease`.",
        actions=(STORE,),
        required=True,
    ),
    Input(
        name="state",
        text="Where production's artifacts are, `s3://bucket/prefix` or a folder. A deploy fills "
        "it; plain manifest.json, run_results.json, catalog.json and sources.json are read too.",
        actions=WITH_STORE,
        required=True,
    ),
    Input(
        name="dbt",
        text="The dbt to use. A requirements file, or requirements such as `dbt-core~=1.12.0 "
        "dbt-postgres`, or `installed` for the dbt on PATH.",
        actions=WITH_DBT,
        default="installed",
        workflow_default="requirements.txt",
        setting=False,
    ),
    Input(
        name="dbt-env",
        text="KEY=VALUE, one a line, for dbt's steps only, such as the warehouse's password. Give "
        "it a secret; every value is masked.",
        actions=WITH_DBT,
        secret=True,
        setting=False,
    ),
    Input(
        name="not-secret",
        text="Names of variables in `dbt-env` whose values may be shown, one a line. All others "
        "are taken out of everything that is written.",
        actions=WITH_DBT,
    ),
    Input(
        name="pass-env",
        text="Names of variables in the job's `env` that dbt gets too, one a line. By itself it "
        "gets `dbt-env`, `DBT_*` and what belongs to the machine, proxies, certificates and cloud "
        "accounts (docs/security.md). A called workflow gets the runner's own variables only.",
        actions=WITH_DBT,
    ),
    Input(
        name="DBT_ENV",
        text="The same as a secret of the GitHub environment, for callers with `secrets: inherit`.",
        workflows=IN_PRODUCTION,
        secret=True,
    ),
    Input(
        name="python-version",
        text="Python to set up. The runner's own if empty.",
        workflows=WITH_DBT,
    ),
    Input(
        name="environment",
        text="GitHub environment that the store belongs to. The job of the reusable workflow runs "
        "in it, with its approvals and secrets; messages name it.",
        actions=(*IN_PRODUCTION, STORE),
        default="production",
    ),
    Input(
        name="target",
        text="Target of the profile. The profile's default if empty.",
        actions=(*BUILDING, ROLLBACK, CLEAN_UP),
    ),
    Input(
        name="target",
        text="Target of the profile, the same as for slim CI. The profile's default if empty.",
        actions=(TEARDOWN,),
    ),
    Input(
        name="project-dir",
        text="Folder of dbt_project.yml.",
        actions=WITH_DBT,
        default=".",
    ),
    Input(
        name="profiles-dir",
        text="Folder of profiles.yml. Where dbt looks by itself if empty.",
        actions=WITH_DBT,
    ),
    Input(
        name="profile",
        text="Profile to use. The one that dbt_project.yml names if empty.",
        actions=WITH_DBT,
    ),
    Input(
        name="tag",
        text="Version tag to bring live. The tag that started the run if empty.",
        actions=(RELEASE,),
    ),
    Input(
        name="main-branch",
        text="Branch that the tag must be on. The repository's default branch if empty.",
        actions=(RELEASE,),
    ),
    Input(
        name="main-branch",
        text="Branch that production comes from; this runs on it only. The repository's default "
        "branch if empty.",
        actions=(DEPLOY, ROLLBACK, CLEAN_UP),
    ),
    Input(
        name="method",
        text="How models go live that do not say it in `meta`, `blue-green` (built next to "
        "production, swapped in one transaction) or `direct` (built in place).",
        actions=(RELEASE,),
        default="blue-green",
    ),
    Input(
        name="build",
        text="What to build without `select` and `selector`, `all`, or `modified` for "
        "`state:modified+` and what failed since the current version.",
        actions=(DEPLOY,),
        default="all",
    ),
    Input(
        name="select",
        text="What to build, in dbt's selection syntax. `state:modified+` if empty and there is "
        "no `selector`.",
        actions=(CI,),
    ),
    Input(
        name="select",
        text="What to build, in dbt's selection syntax. What `build` says if empty and there is "
        "no `selector`.",
        actions=(DEPLOY,),
    ),
    Input(
        name="select",
        text="What to build, in dbt's selection syntax. `state:modified+` if empty and there is "
        "no `selector`. A selection that leaves out models depending on it is refused.",
        actions=(RELEASE,),
    ),
    Input(
        name="exclude",
        text="What not to build, in dbt's selection syntax.",
        actions=BUILDING,
    ),
    Input(
        name="selector",
        text="Name of a selector in selectors.yml, in place of `select` and `exclude`.",
        actions=BUILDING,
    ),
    Input(
        name="vars",
        text="Variables for dbt, a YAML or JSON mapping. dbt does not count a change of them as a "
        "modification.",
        actions=WITH_DBT,
    ),
    Input(
        name="threads",
        text="Threads of dbt. The profile's if empty.",
        actions=BUILDING,
    ),
    Input(
        name="full-refresh",
        text="Full-refresh incremental models and seeds.",
        actions=BUILDING,
        type="boolean",
        default="false",
    ),
    Input(
        name="dbt-args",
        text="Further arguments for `dbt build`, such as `--fail-fast`.",
        actions=BUILDING,
    ),
    Input(
        name="schema-prefix",
        text="First part of the pull request's schema, `<prefix>_<number>_<project>`.",
        actions=(CI, TEARDOWN),
        default="pr",
    ),
    Input(
        name="on-missing-state",
        text="What to do when production has no state yet, `build-all`, `fail` or `skip`.",
        actions=(CI,),
        default="build-all",
    ),
    Input(
        name="baseline-rows",
        text="Production's rows that incremental models and snapshots are tested on, `all`, "
        "`none` or a number of the newest rows.",
        actions=(CI,),
        default="all",
    ),
    Input(
        name="baseline-order-by",
        text="Column that tells which rows are the newest, when `baseline-rows` is a number.",
        actions=(CI,),
    ),
    Input(
        name="source-freshness",
        text="What to do when a source is stale, `warn`, `fail` (before anything is built) or "
        "`off`.",
        actions=(DEPLOY, RELEASE),
        default="warn",
    ),
    Input(
        name="retries",
        text="How often to retry what failed on a transient error, such as a lost connection.",
        actions=(DEPLOY, RELEASE),
        default="1",
    ),
    Input(
        name="time-limit-minutes",
        text="Time limit of the build, in minutes. None if empty.",
        actions=(DEPLOY, RELEASE),
    ),
    Input(
        name="wait-minutes",
        text="How many minutes to wait for another run that works on the environment.",
        actions=IN_PRODUCTION,
        default="0",
    ),
    Input(
        name="allow-older",
        text="Deploy a commit that is older than the one that production runs.",
        actions=(DEPLOY,),
        type="boolean",
        default="false",
    ),
    Input(
        name="allow-older",
        text="Release a tag that is older than the commit that production runs. To go back, use a "
        "rollback.",
        actions=(RELEASE,),
        type="boolean",
        default="false",
    ),
    Input(
        name="allow-breaking",
        text="Let the release remove or retype columns and break contracts.",
        actions=(RELEASE,),
        type="boolean",
        default="false",
    ),
    Input(
        name="breaking-label",
        text="Label of a merged pull request that allows its breaking changes.",
        actions=(RELEASE,),
        default="allow-breaking",
    ),
    Input(
        name="allow-loss",
        text="Let the release replace tables that lose something by it, such as a trigger, a "
        "publication or row level security.",
        actions=(RELEASE,),
        type="boolean",
        default="false",
    ),
    Input(
        name="loss-label",
        text="Label of a merged pull request that allows its losses.",
        actions=(RELEASE,),
        default="allow-loss",
    ),
    Input(
        name="row-count-gate",
        text="What to do when a model's rows differ by more than `row-count-tolerance`, `warn`, "
        "`block` or `off`.",
        actions=(RELEASE,),
        default="warn",
    ),
    Input(
        name="row-count-tolerance",
        text="By how many percent of production's rows a model may differ.",
        actions=(RELEASE,),
        default="5",
    ),
    Input(
        name="freshness-column",
        text="Timestamp column whose newest value must not be older than `freshness-hours`, in "
        "the models that have it.",
        actions=(RELEASE,),
    ),
    Input(
        name="freshness-hours",
        text="How old the newest value of `freshness-column` may be, in hours.",
        actions=(RELEASE,),
    ),
    Input(
        name="checks",
        text="Folder of SQL queries that must return no rows before the release goes live.",
        actions=(RELEASE,),
    ),
    Input(
        name="production-tests",
        text="Run all tests on production once the release is live, and roll it back if one fails.",
        actions=(RELEASE,),
        type="boolean",
        default="false",
    ),
    Input(
        name="smoke-target",
        text="Target of the profile, a reader's role, that must be able to read the release once "
        "it is live. A failure rolls it back.",
        actions=(RELEASE,),
    ),
    Input(
        name="smoke-queries",
        text="Folder of SQL queries that must run for `smoke-target`. Each released relation is "
        "read if empty.",
        actions=(RELEASE,),
    ),
    Input(
        name="attach-manifest",
        text="Attach dbt's manifest to the GitHub release. It holds compiled values.",
        actions=(RELEASE,),
        type="boolean",
        default="false",
    ),
    Input(
        name="version",
        text="Version or tag to go back to. The one before the newest release if empty.",
        actions=(ROLLBACK,),
    ),
    Input(
        name="restore-incremental",
        text="Take what the release did to incremental tables and snapshots back too; rows that "
        "came since stay.",
        actions=(ROLLBACK,),
        type="boolean",
        default="false",
    ),
    Input(
        name="reason",
        text="Why; deploys and releases show it until the hold is lifted.",
        actions=(ROLLBACK,),
    ),
    Input(
        name="reason",
        text="Why, for `hold` and `break-lease`.",
        actions=(STORE,),
    ),
    Input(
        name="driver",
        text="For `drive`, who brings changes into the environment, `deploy` (each merge) or "
        "`release` (only version tags).",
        actions=(STORE,),
    ),
    Input(
        name="retention-days",
        text="Age in days from which `prune` removes a version.",
        actions=(STORE,),
        default="30",
    ),
    Input(
        name="keep-versions",
        text="How many of the newest versions `prune` keeps whatever their age.",
        actions=(STORE,),
        default="5",
    ),
    Input(
        name="keep-hours",
        text="How many hours what a release replaced is kept for a rollback, before a clean-up "
        "drops it.",
        actions=(RELEASE, CLEAN_UP),
        default="24",
    ),
    Input(
        name="keep-hours",
        text="How many hours a release can be rolled back; `prune` keeps the versions that this "
        "needs.",
        actions=(STORE,),
        default="24",
    ),
    Input(
        name="reader-wait-ms",
        text="How long readers may wait behind each try to lock what is swapped, in milliseconds. "
        "Give it more than the longest query of a dashboard whose queries never pause.",
        actions=(RELEASE, ROLLBACK),
        default="250",
    ),
    Input(
        name="grace-days",
        text="How many days the relation of a model that left the project is kept before it is "
        "dropped.",
        actions=(CLEAN_UP,),
        default="14",
    ),
    Input(
        name="pull-request",
        text="Number of the pull request whose schemas are dropped. That of the event if empty.",
        actions=(TEARDOWN,),
    ),
    Input(
        name="sweep",
        text="Drop the schemas of all closed pull requests, and those not used for "
        "`older-than-days`.",
        actions=(TEARDOWN,),
        type="boolean",
        default="false",
    ),
    Input(
        name="older-than-days",
        text="Age in days from which a sweep drops a schema whose pull request is open, or that "
        "has none.",
        actions=(TEARDOWN,),
        default="14",
    ),
    Input(
        name="dry-run",
        text="Only say what the release would change; nothing is built or written.",
        actions=(RELEASE,),
        type="boolean",
        default="false",
    ),
    Input(
        name="dry-run",
        text="Only say what the rollback would do.",
        actions=(ROLLBACK,),
        type="boolean",
        default="false",
    ),
    Input(
        name="dry-run",
        text="Only say what would be dropped.",
        actions=(TEARDOWN, CLEAN_UP),
        type="boolean",
        default="false",
    ),
    Input(
        name="dry-run",
        text="Only say what `prune` would remove.",
        actions=(STORE,),
        type="boolean",
        default="true",
    ),
    Input(
        name="docs",
        text="Make documentation of what is built, as a page in the artifact folder.",
        actions=(CI,),
        type="boolean",
        default="false",
    ),
    Input(
        name="docs",
        text="Make the documentation.",
        actions=(DEPLOY, RELEASE),
        type="boolean",
        default="true",
    ),
    Input(
        name="docs-location",
        text="Where the documentation goes, `s3://bucket/prefix` or a folder. `docs/` of the store "
        "if empty.",
        actions=(DEPLOY, RELEASE),
    ),
    Input(
        name="docs-url",
        text="Where people read the documentation, for the summary and the deployment.",
        actions=(DEPLOY, RELEASE),
    ),
    Input(
        name="fail-on-warnings",
        text="Fail when a test warns.",
        actions=BUILDING,
        type="boolean",
        default="false",
    ),
    Input(
        name="shortcuts",
        text="Which shortcuts to take, `true` for all, `false` for none, or a list of `unchanged`, "
        "`one-process` and `saved-parse`. The result is the same; leave some out to look into a "
        "fault.",
        actions=WITH_DBT,
        default="true",
    ),
    Input(
        name="comment",
        text="Write the comment on the pull request.",
        actions=(CI, TEARDOWN),
        type="boolean",
        default="true",
    ),
    Input(
        name="announce",
        text="Say in the comment that a build has started, before its result.",
        actions=(CI,),
        type="boolean",
        default="false",
    ),
    Input(
        name="artifact-name",
        text="Name of the artifact that slim CI's run uploaded, its own input `artifact-name`.",
        actions=(FORK_COMMENT,),
        default="dbt-deploy",
    ),
    Input(
        name="comment-author",
        text="Login that the token comments as. Needed for tokens of your own GitHub App only, as "
        "`my-app[bot]`.",
        actions=(CI, TEARDOWN, FORK_COMMENT),
        workflows=(),
        default="github-actions[bot]",
    ),
    Input(
        name="slack-webhook-url",
        text="Incoming webhook of a Slack channel that gets releases, rollbacks and failed "
        "deploys. A secret.",
        actions=TELLING,
        secret=True,
        setting=False,
    ),
    Input(
        name="pagerduty-routing-key",
        text="Integration key of a PagerDuty service (Events API v2). A failure triggers an "
        "incident, the next success resolves it. A secret.",
        actions=TELLING,
        secret=True,
        setting=False,
    ),
    Input(
        name="pagerduty-url",
        text="Address of PagerDuty's Events API. `https://events.pagerduty.com/v2/enqueue` if "
        "empty; accounts in the EU have `https://events.eu.pagerduty.com/v2/enqueue`.",
        actions=TELLING,
        setting=False,
    ),
    Input(
        name="webhook-url",
        text="Address that every outcome of a deploy, release or rollback is posted to, as JSON. "
        "A secret.",
        actions=TELLING,
        secret=True,
        setting=False,
    ),
    Input(
        name="webhook-secret",
        text="Key for the signature in the header `X-Dbt-Deploy-Signature` of what is posted to "
        "`webhook-url`. A secret.",
        actions=TELLING,
        secret=True,
        setting=False,
    ),
    Input(
        name="redact",
        text="Values to hide in all that is written, one a line.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="hide-row-data",
        text="Leave out messages of the warehouse, which may hold rows of data. For public "
        "repositories.",
        actions=(*BUILDING, ROLLBACK, CLEAN_UP, TEARDOWN),
        type="boolean",
        default="false",
    ),
    Input(
        name="aws-region",
        text="Region of the store's bucket. AWS_REGION or the profile's if empty.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="aws-endpoint-url",
        text="Endpoint of an S3-compatible store.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="aws-sse",
        text="Server-side encryption to ask for in each write to the store: `AES256`, `aws:kms` or "
        "`aws:kms:dsse`. Defaults to the bucket's own.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="aws-sse-kms-key-id",
        text="Key to encrypt with, for `aws-sse: aws:kms`.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="aws-request-payer",
        text="`requester`, if the store's bucket is requester-pays.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="aws-expected-bucket-owner",
        text="Account that the store's bucket must belong to, 12 digits. Requests to a bucket of "
        "another account are refused.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="aws-acl",
        text="ACL of what is written to the store, such as `bucket-owner-full-control`.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="aws-role",
        text="ARN of the role to assume by OpenID Connect for the store. The job needs `id-token` "
        "permission to write.",
        actions=WITH_STORE,
        setting=False,
    ),
    Input(
        name="aws-role-seconds",
        text="How long the assumed role lasts. Raise it, and the role's own maximum, for builds of "
        "more than an hour.",
        actions=BUILDING,
        default="3600",
        setting=False,
    ),
    Input(
        name="aws-access-key-id",
        text="Key for the store, where no role is assumed. boto3's own credential chain if empty.",
        actions=WITH_STORE,
        secret=True,
        setting=False,
    ),
    Input(
        name="aws-secret-access-key",
        text="The key's secret. Only the steps that reach the store get it.",
        actions=WITH_STORE,
        secret=True,
        setting=False,
    ),
    Input(
        name="cache",
        text="Cache the installed environments.",
        actions=WITH_STORE,
        type="boolean",
        default="true",
        setting=False,
    ),
    Input(
        name="github-token",
        text="Token that reads and writes pull requests and their comments.",
        actions=(CI, TEARDOWN),
        workflows=(),
        default="${{ github.token }}",
        setting=False,
    ),
    Input(
        name="github-token",
        text="Token that asks which of two commits is newer, where the checkout does not know.",
        actions=(DEPLOY,),
        workflows=(),
        default="${{ github.token }}",
        setting=False,
    ),
    Input(
        name="github-token",
        text="Token that reads artifacts and pull requests, and writes comments.",
        actions=(FORK_COMMENT,),
        workflows=(),
        default="${{ github.token }}",
        setting=False,
    ),
    Input(
        name="github-token",
        text="Token that reads the tag and writes the GitHub release.",
        actions=(RELEASE, ROLLBACK),
        workflows=(),
        default="${{ github.token }}",
        setting=False,
    ),
    Input(
        name="runs-on",
        text="Label of the runner.",
        workflows=ACTIONS,
        default="ubuntu-latest",
    ),
    Input(
        name="timeout-minutes",
        text="Time limit of the job.",
        workflows=(CI, ROLLBACK, CLEAN_UP),
        type="number",
        default="60",
    ),
    Input(
        name="timeout-minutes",
        text="Time limit of the job.",
        workflows=(DEPLOY, RELEASE),
        type="number",
        default="360",
    ),
    Input(
        name="timeout-minutes",
        text="Time limit of the job.",
        workflows=(TEARDOWN,),
        type="number",
        default="30",
    ),
    Input(
        name="artifact-name",
        text="Name of the job artifact. Give each job its own when a workflow calls this twice.",
        workflows=(CI,),
        default="dbt-deploy",
    ),
    Input(
        name="artifact-name",
        text="Name of the job artifact.",
        workflows=(DEPLOY, RELEASE),
        default="dbt-deploy-production",
    ),
)
"""Rows in the order in which people read them."""
