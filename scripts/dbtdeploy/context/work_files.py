"""The files that scripts hand each other, as types. All live in one work folder.

Reading is tolerant: unknown fields are ignored, so an older script reads a newer file.
"""

from __future__ import annotations

from typing import ClassVar, TypeVar

from msgspec import Struct

from dbtdeploy.base import errors
from dbtdeploy.base.redact import Redact
from dbtdeploy.context import hand_over, shortcuts
from dbtdeploy.context.built_with import BuiltWith
from dbtdeploy.context.hand_over import Alone, HandOver
from dbtdeploy.context.phases import Phase
from dbtdeploy.context.policies import AnyPolicy, CommandPolicy

DBT_PROCESSES = "dbt_processes.jsonl"
"""What each dbt process took, one JSON object a line."""
STATE_FOLDER = "state"
STATE_MANIFEST_FOLDER = "state_manifest"
"""The same manifest alone."""
SAVED_PARSE = "saved_parse"
"""Folder of production's parse to start from, the two files of ``in_dbt/saved_parse/``."""
USED_PARSE = "saved_parse.json"
"""Whether dbt started from it."""
KEPT_PARSE = "kept_parse"
"""Folder with the same two files, of production's new parse that the store shall keep."""
ARTIFACT_FOLDER = "artifact"
RUN_RESULTS = "run_results.json"
LOG = "artifact/dbt.log"
REPORT = "artifact/report.json"
COMMENT = "artifact/comment.md"
SUMMARY = "artifact/summary.md"

T = TypeVar("T")
P = TypeVar("P", bound=CommandPolicy)


class Event(Struct, frozen=True, kw_only=True):
    """What started this run. Outside Actions every field has a local stand-in.

    ``sha`` is the pull request's head, not the merge commit that GITHUB_SHA names.
    """

    name: str
    repository: str
    sha: str
    ref: str
    pull_request: int | None = None
    run_id: int = 0
    run_attempt: int = 1
    run_url: str = ""
    server_url: str = "https://github.com"
    actor: str = ""
    """Login of who started the run; the machine's user outside Actions."""
    base_sha: str = ""
    """Of a pull request, the newest commit of the branch that it goes to."""
    skip: str | None = None
    """Why dbt must not run: ``fork``, ``dependabot``; None when it may."""
    tag: str | None = None
    """Name of the tag that started the run, if one did."""
    default_branch: str | None = None
    """The repository's, where the event says it."""
    asked_at: str = ""
    """When the pull request last changed before this run; empty where there is none. ISO 8601."""


class DbtProject(Struct, frozen=True, kw_only=True):
    """Where dbt runs and how it is called. Holds no secret."""

    command: str
    project_dir: str
    """Absolute."""
    repository_path: str
    """The project folder from the repository's root, ``.`` for the root itself."""
    name: str
    profiles_dir: str | None
    profile: str | None
    target: str | None
    target_path: str
    """Absolute; where dbt writes manifest and run results."""
    packages_path: str
    """Absolute; where ``dbt deps`` installs."""
    vars: str | None = None
    threads: int | None = None
    extra_args: tuple[str, ...] = ()
    stores_failures: bool = False
    """Whether dbt_project.yml says that tests store the rows they find."""
    shortcuts: tuple[str, ...] = shortcuts.ALL
    """Which may be taken; see ``shortcuts.py``."""
    reads: tuple[str, ...] | None = None
    """Folders that dbt reads, from the project's own; None if it cannot be said."""


class Selection(Struct, frozen=True, kw_only=True):
    """What to build."""

    select: str | None = None
    exclude: str | None = None
    selector: str | None = None
    selectors_need_state: bool = False
    """Whether selectors.yml compares with state somewhere."""
    full_refresh: bool = False


class Run(HandOver, frozen=True, kw_only=True):
    """Everything that is known before anything is done."""

    FILE: ClassVar[str] = hand_over.RUN

    event: Event
    dbt: DbtProject
    selection: Selection
    policy: AnyPolicy
    """What the command was asked to do; its type says which command that is."""
    schema: str
    """Handed to dbt as DBT_DEPLOY_SCHEMA; empty where dbt builds production."""
    started_at: str
    """ISO 8601, UTC."""

    @property
    def command(self) -> str:
        """The command's name, such as ``clean-up``."""
        return self.policy.command

    def of(self, kind: type[P]) -> P:
        """The policy, as the type that its reader needs.

        Args:
            kind: a command's policy, or what several share, such as ``InProduction``.

        Raises:
            OtherCommand: the run is of another command.
        """
        if isinstance(self.policy, kind):
            return self.policy
        raise errors.OtherCommand(
            f"The run in this work folder is of `{self.command}`, which does not have this step.",
            not_done="This step did nothing.",
            remedy="Start a run of that command first: `run.py start start_run COMMAND`.",
        )


class State(HandOver, frozen=True, kw_only=True):
    """What was fetched of production's last run."""

    FILE: ClassVar[str] = hand_over.STATE

    location: str
    found: bool
    dbt_version: str | None = None
    adapter: str | None = None
    generated_at: str | None = None
    """When production's manifest was written, ISO 8601, UTC."""
    commit: str | None = None
    artifacts: tuple[str, ...] = ()
    version: str | None = None
    """Of a store that dbt-deploy fills; None for plain files."""
    tag: str | None = None
    """The version tag that brought that version live."""
    release_id: str | None = None
    built_with: BuiltWith | None = None
    """What that version was built with, where it says so."""
    driver: str | None = None
    """Who brings changes into the environment, ``deploy`` or ``release``; None if not asked."""
    unchanged: bool = False
    """Whether the checkout has nothing that dbt would find to differ; then nothing was fetched."""


class Fingerprint(HandOver, frozen=True, kw_only=True):
    """Part of ``state.json``: what this checkout holds for dbt; see ``checkout_digest.py``."""

    FILE: ClassVar[str] = hand_over.STATE

    digest: str | None = None
    why_not: str | None = None
    """Why there is none."""


class PlannedNode(Struct, frozen=True, kw_only=True):
    """One node that dbt says it will build."""

    unique_id: str
    resource_type: str
    name: str
    database: str | None = None
    schema: str | None = None
    identifier: str | None = None
    relation_name: str | None = None
    materialized: str | None = None
    full_refresh: bool | None = None
    path: str = ""

    @property
    def has_result(self) -> bool:
        """Whether dbt reports on it: an ephemeral model is inlined where it is used."""
        return self.materialized != "ephemeral"


PlannedNodes = tuple[PlannedNode, ...]


class Plan(HandOver, frozen=True, kw_only=True):
    """What would be built, in the order dbt listed it."""

    FILE: ClassVar[str] = hand_over.PLAN

    nodes: tuple[PlannedNode, ...] = ()

    @property
    def inlined(self) -> frozenset[str]:
        """Ids of the ephemeral models among them."""
        return frozenset(node.unique_id for node in self.nodes if not node.has_result)


class Baseline(Struct, frozen=True, kw_only=True):
    """Production's rows under one incremental model or snapshot.

    ``how``: ``all``, ``latest`` (the newest ``rows`` by ``order_by``), ``clone`` (zero-copy),
    ``none`` (production has no such table, or the input says none).
    """

    unique_id: str
    how: str
    rows: int | None = None
    order_by: str | None = None
    reason: str | None = None


class Schemas(HandOver, frozen=True, kw_only=True):
    """What stands ready in the warehouse before dbt builds."""

    FILE: ClassVar[str] = hand_over.PLAN

    schemas: tuple[str, ...] = ()
    baselines: tuple[Baseline, ...] = ()


class LogError(Struct, frozen=True, kw_only=True):
    """One error dbt logged, outside any node's result."""

    message: str
    file: str | None = None
    line: int | None = None


class Attempt(Struct, frozen=True, kw_only=True):
    """One dbt build of a deploy."""

    exit_code: int
    seconds: float
    nodes: int
    """How many results it left."""
    transient: tuple[str, ...] = ()
    """Unique ids of what failed on a transient fault, and was built again after it."""
    reason: str | None = None
    """The warehouse's words about the first of them."""


class Build(HandOver, frozen=True, kw_only=True):
    """How dbt's process ended. ``results`` is false without trusted run results."""

    FILE: ClassVar[str] = hand_over.BUILT

    exit_code: int
    interrupted: bool
    results: bool
    started_at: str
    finished_at: str
    command: str
    """Without secrets, as a person would type it."""
    errors: tuple[LogError, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """Every dbt process of a deploy, the first one too; empty in slim CI."""


class Failure(Alone, frozen=True, kw_only=True):
    """The first expected failure of any script."""

    FILE: ClassVar[str] = hand_over.FAILURE

    kind: str
    title: str
    what: str
    not_done: str
    remedy: str
    phase: Phase
    """Of the run, in which it was met."""
    exit_code: int

    @classmethod
    def of(
        cls, failure: errors.DbtDeployError, *, phase: Phase, redact: Redact = lambda text: text
    ) -> Failure:
        """The record of a failure that a script met."""
        return cls(
            kind=type(failure).__name__,
            title=failure.title,
            what=redact(failure.what),
            not_done=redact(failure.not_done),
            remedy=redact(failure.remedy),
            phase=phase,
            exit_code=failure.exit_code,
        )
