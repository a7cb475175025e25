"""Named failures. Each says what happened, what was not done because of it, and what to do.

One class and one exit code per failure, so that a workflow can tell them apart. ``cli.run`` is
the only place that turns one into a process exit.
"""

from __future__ import annotations

from typing import ClassVar


class DbtDeployError(Exception):
    """Base of all failures a person can cause or meet.

    Args:
        what: what happened, one or two sentences; may span lines.
        not_done: what was therefore not done.
        remedy: what the reader should do next.
    """

    exit_code: ClassVar[int] = 1
    title: ClassVar[str] = "dbt-deploy failed"

    def __init__(self, what: str, *, not_done: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.not_done = not_done
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.what}\n{self.not_done}\n{self.remedy}"


class InvalidInput(DbtDeployError):
    """An input or a file of the caller's cannot be understood."""

    exit_code = 2
    title = "An input is not valid"


class EarlierStepMissing(DbtDeployError):
    """A script was run before the one that writes the file it reads."""

    exit_code = 4
    title = "An earlier step has not run"


class OtherCommand(DbtDeployError):
    """A script was run in the work folder of another command's run."""

    exit_code = 6
    title = "This run is of another command"


class EnvironmentNotMade(DbtDeployError):
    """Our environment or the caller's dbt could not be installed."""

    exit_code = 5
    title = "The Python environment could not be set up"


class FolderNotOurs(DbtDeployError):
    """A folder that is run from or believed may be written to by another account."""

    exit_code = 6
    title = "A folder of dbt-deploy's belongs to another account"


class StateAccessDenied(DbtDeployError):
    """The store answered, and said no."""

    exit_code = 10
    title = "No access to production's state"


class StateBucketMissing(DbtDeployError):
    """The bucket does not exist."""

    exit_code = 11
    title = "The state bucket does not exist"


class StateWrongRegion(DbtDeployError):
    """The bucket lives in another region than the one asked."""

    exit_code = 12
    title = "The state bucket is in another region"


class StateCredentials(DbtDeployError):
    """No credentials, or expired or unknown ones."""

    exit_code = 13
    title = "No valid credentials for the state bucket"


class StateUnreachable(DbtDeployError):
    """The store did not answer, or kept answering with faults of its own."""

    exit_code = 14
    title = "The state store cannot be reached"


class StateCorrupt(DbtDeployError):
    """An object is there and is not what its name says."""

    exit_code = 15
    title = "Production's state is damaged"


class StateTooNew(DbtDeployError):
    """State written by a newer dbt than the one that would read it."""

    exit_code = 16
    title = "Production's state was written by a newer dbt"


class StateIsTarget(DbtDeployError):
    """``--state`` and ``--target-path`` are the same folder."""

    exit_code = 17
    title = "State and target are the same folder"


class StateMissing(DbtDeployError):
    """There is no state yet, and ``on-missing-state`` says to fail."""

    exit_code = 18
    title = "Production has no state yet"


class WouldWriteToProduction(DbtDeployError):
    """A selected node would land in a schema that production owns."""

    exit_code = 20
    title = "This build would write into production"


class SchemaNotOurs(DbtDeployError):
    """A schema that the build needs exists and is not this pull request's."""

    exit_code = 21
    title = "A schema is not this pull request's"


class SchemaNameTooLong(DbtDeployError):
    """A schema name is longer than the warehouse keeps."""

    exit_code = 22
    title = "A schema name is too long"


class DbtNotFound(DbtDeployError):
    """There is no dbt to run."""

    exit_code = 30
    title = "dbt is not installed"


class DbtStopped(DbtDeployError):
    """dbt ended before it built anything: usage, parse, profile, packages or connection."""

    exit_code = 31
    title = "dbt stopped before it built anything"


class WarehouseStepFailed(DbtDeployError):
    """A macro of ours, run through dbt, failed in the warehouse."""

    exit_code = 32
    title = "The pull request's schema could not be prepared"


class BuiltElsewhere(DbtDeployError):
    """dbt built into another relation than the one that was checked, or a node that was not."""

    exit_code = 33
    title = "dbt built something other than what was checked"


class ResultsUnknown(DbtDeployError):
    """dbt began to build, and left no results that are surely of this build."""

    exit_code = 34
    title = "It is not known what dbt built"


class Cancelled(DbtDeployError):
    """The run was interrupted."""

    exit_code = 130
    title = "Cancelled"


class GitHubFailed(DbtDeployError):
    """GitHub refused or did not answer."""

    exit_code = 40
    title = "GitHub refused, or did not answer"


class StateVersionMissing(DbtDeployError):
    """The pointer names a version that is not there."""

    exit_code = 19
    title = "The current version is not in the store"


class LeaseHeld(DbtDeployError):
    """Someone else works on the environment."""

    exit_code = 50
    title = "Someone else works on this environment"


class LeaseLost(DbtDeployError):
    """The lease expired, was broken or stolen while this run worked."""

    exit_code = 51
    title = "This run no longer holds the environment"


class OnHold(DbtDeployError):
    """The environment is on hold."""

    exit_code = 52
    title = "The environment is on hold"


class ConditionsIgnored(DbtDeployError):
    """The store takes writes whose condition does not hold."""

    exit_code = 53
    title = "The store ignores conditional writes"


class WrongCommit(DbtDeployError):
    """The checkout is not the commit that this environment runs."""

    exit_code = 54
    title = "This checkout is not what the environment runs"


class OlderCommit(DbtDeployError):
    """The run brings a commit that is older than the live one."""

    exit_code = 57
    title = "A newer commit is live"


class PublishingFailed(DbtDeployError):
    """The build is done, and its artifacts are not published."""

    exit_code = 55
    title = "The artifacts were not published"


class StoreTooNew(DbtDeployError):
    """A newer dbt-deploy wrote the store in a layout that this one does not know."""

    exit_code = 56
    title = "The store was written by a newer dbt-deploy"


class PrivilegesMissing(DbtDeployError):
    """The role lacks a right that the build needs."""

    exit_code = 60
    title = "The warehouse role lacks privileges"


class DependentsInTheWay(DbtDeployError):
    """Objects that others own depend on what the build would replace."""

    exit_code = 61
    title = "Other objects depend on tables this would rebuild"


class DependentsNotRestored(DbtDeployError):
    """Objects that the build dropped could not be recreated."""

    exit_code = 62
    title = "Some objects could not be recreated"


class ExposedToOthers(DbtDeployError):
    """Another role could run code with the rights of this one."""

    exit_code = 67
    title = "Other roles could act as the role of production"


class SourcesStale(DbtDeployError):
    """A source is older than its project allows, or its age could not be read."""

    exit_code = 63
    title = "The check of source freshness failed"


class TimeLimit(DbtDeployError):
    """The build took longer than it may."""

    exit_code = 64
    title = "The time limit was reached"


class DocsFailed(DbtDeployError):
    """The documentation could not be made or uploaded."""

    exit_code = 65
    title = "The documentation was not written"


class ProductionCheckFailed(DbtDeployError):
    """dbt or the warehouse failed while production was looked at, or restored."""

    exit_code = 66
    title = "Production could not be checked"


class TeardownIncomplete(DbtDeployError):
    """A schema that should go is still there."""

    exit_code = 70
    title = "Some schemas were not dropped"


class TagRefused(DbtDeployError):
    """The tag is not on the main branch, was moved, or names what is no version."""

    exit_code = 80
    title = "This tag cannot be released"


class BranchRefused(DbtDeployError):
    """The run would change production and is not on the main branch."""

    exit_code = 96
    title = "Production is changed from the main branch only"


class WrongDriver(DbtDeployError):
    """Merges drive the environment, and a release would be built over by the next one."""

    exit_code = 81
    title = "Releases do not drive this environment"


class ReleaseNotClosed(DbtDeployError):
    """Something that stays in production reads what would be replaced under it."""

    exit_code = 82
    title = "The release excludes models that depend on it"


class HistoryNotMoved(DbtDeployError):
    """An incremental table or snapshot would start from nothing in another place."""

    exit_code = 96
    title = "A moved model would lose its history"


class AdapterNotSupported(DbtDeployError):
    """Blue-green is not there for this warehouse."""

    exit_code = 83
    title = "Blue-green releases are not supported on this warehouse"


class GateClosed(DbtDeployError):
    """A gate blocks the release."""

    exit_code = 84
    title = "A gate stopped the release"


class ProductionChanged(DbtDeployError):
    """Production is not as dbt-deploy left it or found it."""

    exit_code = 85
    title = "Production was changed by hand"


class SwapTimeout(DbtDeployError):
    """Readers held what was to be swapped, each time it was tried."""

    exit_code = 86
    title = "Production could not be locked"


class ConsumerDoesNotFit(DbtDeployError):
    """A view outside the release cannot be made on the new columns."""

    exit_code = 87
    title = "A consumer's view does not fit the new columns"


class SwapFailed(DbtDeployError):
    """The warehouse refused the swap; its transaction was undone."""

    exit_code = 88
    title = "The swap failed"


class NotReadyForRelease(DbtDeployError):
    """Something would stop the swap, or keep everybody from reading what it brings."""

    exit_code = 97
    title = "Production is not ready for this release"


class TakenBack(DbtDeployError):
    """What was checked after the swap failed, and production is the old one again."""

    exit_code = 89
    title = "The release was rolled back"


class RollbackRefused(DbtDeployError):
    """There is nothing to go back to, or it cannot be brought back."""

    exit_code = 90
    title = "This rollback is not possible"


class ReleaseStepFailed(DbtDeployError):
    """dbt or the warehouse failed in a step of a release or rollback."""

    exit_code = 91
    title = "A step of the release failed in the warehouse"


class ReleaseNotWritten(DbtDeployError):
    """GitHub did not take the release's notes."""

    exit_code = 92
    title = "The GitHub release was not written"


class CleanUpIncomplete(DbtDeployError):
    """Something that should go is still there."""

    exit_code = 93
    title = "Some relations were not dropped"


class ReleaseEmpty(DbtDeployError):
    """A tag brings nothing: no node, no test, and nothing left the project."""

    exit_code = 94
    title = "This release has no changes"


class ReportRefused(DbtDeployError):
    """What a fork's run uploaded is no report of that run."""

    exit_code = 96
    title = "The report of a fork's run was refused"


class NotificationFailed(DbtDeployError):
    """Slack, PagerDuty or a webhook did not take what it was sent."""

    exit_code = 95
    title = "A notification could not be sent"
