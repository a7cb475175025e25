"""Before dbt has written anything: the digest of what it reads, and whether it is production's."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.base import git_client, settings
from dbtdeploy.context import work_files
from dbtdeploy.dbt import checkout_digest, installed_version
from dbtdeploy.store.versions import Index

NOTHING = "Nothing to build: what dbt reads here is what production was built from."


def take(run: work_files.Run, work: Path) -> work_files.Fingerprint:
    """The digest of this checkout; kept in the work folder for the version that is made of it."""
    taken = work_files.Fingerprint(digest=_digest(run))
    work_files.write(work / work_files.FINGERPRINT, taken)
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
        and run.dbt.shortcuts
        and checkout_digest.compares_only(run.selection)
        and taken.digest is not None
        and taken.digest == index.built_from
        # Of what a partial deploy left out, production has the old definition.
        and not index.partial
    )


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


def _digest(run: work_files.Run) -> str | None:
    dbt = run.dbt
    top = git_client.top(Path(dbt.project_dir))
    workspace = settings.GitHubContext.from_environ().workspace.resolve()
    # Of a submodule the repository around it holds what calls this action.
    if top is None or not workspace.is_relative_to(top):
        return None
    paths = checkout_digest.pathspecs(dbt, top)
    made_of = installed_version.distributions(
        dbt.command,
        folder=Path(dbt.project_dir),
        variables=settings.DbtEnvironment.from_environ().variables,
    )
    listing = git_client.listing(top, paths) if paths and made_of else None
    if not paths or listing is None:
        return None
    entries = list(checkout_digest.read_listing(listing))
    installed = checkout_digest.installed_packages(dbt, top, entries)
    # What the lock file names may be there already.
    but = [f":(top,exclude,literal){installed}"] if installed else []
    if not git_client.is_clean(top, [*paths, *but]):
        return None
    return checkout_digest.digest(entries, made_of, dbt.vars)
