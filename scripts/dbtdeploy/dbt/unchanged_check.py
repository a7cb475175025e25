"""Before dbt has written anything: the digest of what it reads, and whether it is production's."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.base import git_client, settings
from dbtdeploy.context import hand_over, shortcuts, work_files
from dbtdeploy.dbt import checkout_digest, installed_version
from dbtdeploy.store.publication.versions import Index

NOTHING = "Nothing to build: what dbt reads here is what production was built from."


def take(run: work_files.Run, work: Path) -> work_files.Fingerprint:
    """The digest of this checkout; kept in the work folder for the version that is made of it."""
    digest, why_not = _digest(run)
    taken = work_files.Fingerprint(digest=digest, why_not=why_not)
    hand_over.write(work, taken)
    return taken


def is_production(run: work_files.Run, taken: work_files.Fingerprint, index: Index) -> bool:
    """Whether a pull request has nothing that dbt would find to differ from a version.

    Args:
        run: this run.
        taken: what ``take`` gave.
        index: the current version's.
    """
    return (
        run.command == "ci"
        and shortcuts.UNCHANGED in run.dbt.shortcuts
        and why_not(run, taken, index) is None
        and taken.digest == index.built_from
    )


def why_not(run: work_files.Run, taken: work_files.Fingerprint, index: Index) -> str | None:
    """Why a checkout cannot be compared with a version by its files; None if it can."""
    if not checkout_digest.compares_only(run.selection):
        return "more is selected than what differs from production"
    if taken.digest is None:
        return taken.why_not or "what dbt reads here is not known"
    if index.built_from is None:
        return f"{index.version} does not say what it was built from; the log of its run says why"
    if index.partial:
        return f"{index.version} was built in part"
    return None


def state_of(index: Index, location: str) -> work_files.State:
    """What ``state.json`` says where nothing of a version need be fetched."""
    return work_files.State(
        location=location,
        found=True,
        dbt_version=index.dbt_version,
        adapter=index.adapter,
        generated_at=index.created_at,
        commit=index.commit,
        version=index.version,
        tag=index.tag,
        release_id=index.release_id,
        unchanged=True,
    )


def _digest(run: work_files.Run) -> tuple[str | None, str | None]:
    """The digest, or why there is none."""
    dbt = run.dbt
    top = git_client.top(Path(dbt.project_dir))
    workspace = settings.GitHubContext.from_environ().workspace.resolve()
    # Of a submodule the repository around it holds what calls this action.
    if top is None or not workspace.is_relative_to(top):
        return None, "the project is in no git repository around the workspace"
    paths = checkout_digest.pathspecs(dbt, top)
    if not paths:
        return None, "the folders that dbt reads are not known, or not all in the repository"
    made_of = installed_version.distributions(
        dbt.command,
        folder=Path(dbt.project_dir),
        variables=settings.DbtEnvironment.from_environ().variables,
    )
    listing = git_client.listing(top, paths)
    if not made_of or listing is None:
        return None, "git or dbt's packages could not be listed"
    entries = list(checkout_digest.read_listing(listing))
    installed = checkout_digest.installed_packages(dbt, top, entries)
    # What the lock file names may be there already.
    but = [f":(top,exclude,literal){installed}"] if installed else []
    if not git_client.is_clean(top, [*paths, *but]):
        return None, "files that dbt reads are not as they were committed"
    digest = checkout_digest.digest(entries, made_of, dbt.vars)
    return digest, None if digest else "among the files that dbt reads is a link or a submodule"
