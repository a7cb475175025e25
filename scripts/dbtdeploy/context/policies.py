"""What each command was asked to do: one type per command, with no default of its own.

A gate that is judged by an invented default looks like a pass. So every field is set where the
inputs are read (``inputs.py``), a run has the policy of its own command and no other, and whoever
needs a certain one asks by ``Run.of``, which refuses a run of another command.
"""

from __future__ import annotations

from msgspec import Struct


class CommandPolicy(Struct, frozen=True, kw_only=True, tag_field="command"):
    """What every command has."""

    state: str
    """Where the store is: ``s3://bucket/prefix`` or a folder."""
    fail_on_warnings: bool
    hide_row_data: bool

    @property
    def command(self) -> str:
        """The command's name, such as ``clean-up``."""
        return str(self.__struct_config__.tag)


class OfPullRequests(CommandPolicy, frozen=True, kw_only=True):
    """What works for pull requests, and tells them in a comment."""

    comment: bool
    comment_author: str


class Ci(OfPullRequests, frozen=True, kw_only=True, tag="ci"):
    """How ``ci`` builds what a pull request changes."""

    on_missing_state: str
    """``build-all``, ``fail`` or ``skip``."""
    baseline_rows: str
    baseline_order_by: str | None
    announce: bool
    """Whether the comment says that a build has started."""
    docs: bool
    """Whether a pull request gets documentation of what it builds."""


class TeardownPolicy(OfPullRequests, frozen=True, kw_only=True, tag="teardown"):
    """Whose schemas ``teardown`` drops."""

    pull_request: int | None
    sweep: bool
    """All closed pull requests', and those unused for ``older_than_days``."""
    older_than_days: int
    dry_run: bool


class InProduction(CommandPolicy, frozen=True, kw_only=True):
    """What works in an environment, under its lease."""

    environment: str
    """GitHub's name of it."""
    wait_minutes: int
    """For a lease that someone else holds."""
    docs_url: str | None
    """Where people read the documentation."""


class BuildsProduction(InProduction, frozen=True, kw_only=True):
    """What ``deploy`` and ``release`` share."""

    retry_failed: bool
    """Whether what failed since the current version is built too."""
    retries: int
    """How often what failed on a transient fault is built again."""
    time_limit_minutes: int | None
    """For the build, retries included."""
    docs: bool
    docs_location: str | None
    """A folder or ``s3://`` of its own; the store's ``docs/`` if None."""
    source_freshness: str
    """``warn``, ``fail`` or ``off``."""
    allow_older: bool
    """Whether a commit may come that is older than the live one."""


class Deploy(BuildsProduction, frozen=True, kw_only=True, tag="deploy"):
    """How ``deploy`` builds production."""


class Release(BuildsProduction, frozen=True, kw_only=True, tag="release"):
    """How ``release`` brings a version tag live."""

    tag: str
    main_branch: str | None
    """The repository's default branch if None."""
    method: str
    """For models that do not say it in ``meta``: ``blue-green`` or ``direct``."""
    allow_breaking: bool
    breaking_label: str
    """Label of a pull request that allows breaking changes."""
    allow_loss: bool
    loss_label: str
    """Label of a pull request that allows losses of what is replaced."""
    row_count_gate: str
    """``warn``, ``block`` or ``off``."""
    row_count_tolerance: float
    """Per cent of production's rows."""
    freshness_column: str | None
    freshness_hours: float | None
    checks: str | None
    """Folder of queries that must return no rows, absolute."""
    production_tests: bool
    """Whether all of production's tests run after the swap."""
    smoke_target: str | None
    """Target of the profile, a reader's role."""
    smoke_queries: str | None
    """Folder of queries that must run for that role, absolute."""
    keep_hours: int
    """How long replaced relations are kept."""
    reader_wait_ms: int = 250
    """How long each try of the swap may keep readers waiting."""
    attach_manifest: bool
    dry_run: bool


class Rollback(InProduction, frozen=True, kw_only=True, tag="rollback"):
    """What ``rollback`` goes back to."""

    version: str | None
    """A version or a tag; the one before the newest release if None."""
    restore_incremental: bool
    """Whether incremental tables and snapshots go back too, and lose what came since."""
    reason: str | None
    dry_run: bool
    reader_wait_ms: int = 250
    """How long each try may keep readers waiting."""


class CleanUp(InProduction, frozen=True, kw_only=True, tag="clean-up"):
    """What ``clean-up`` drops."""

    keep_hours: int
    """Age from which relations that a release replaced go."""
    grace_days: int
    """How long the relation of a node that left the project stays."""
    dry_run: bool


AnyPolicy = Ci | Deploy | Release | Rollback | CleanUp | TeardownPolicy
