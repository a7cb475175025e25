"""dbt's documentation of a pull request: of what it built, as a page in its artifact folder."""

from __future__ import annotations

from pathlib import Path

from dbtdeploy.base import actions_runner, errors, settings
from dbtdeploy.context import work_files
from dbtdeploy.context.deploy_files import STATIC_DOCS
from dbtdeploy.context.policies import Ci
from dbtdeploy.dbt import docs_site
from dbtdeploy.deploy import redact_artifacts

PAGE = "docs/index.html"
"""In the artifact folder."""


def arguments(run: work_files.Run) -> list[str]:
    """What makes the page after a build, without project and profile; nothing if it is not wanted.

    The build has compiled what it built, and all else is in production's documentation, so nothing
    is compiled again.
    """
    for name in docs_site.WRITTEN:
        # A page of an earlier run must not be taken for this one's.
        (Path(run.dbt.target_path) / name).unlink(missing_ok=True)
    return ["docs", "generate", "--static", "--no-compile"] if run.of(Ci).docs else []


def store_preview(run: work_files.Run, work: Path) -> None:
    """Copy the page without secrets; a page that is missing is said, and fails nothing."""
    page = Path(run.dbt.target_path) / STATIC_DOCS
    if not page.is_file():
        print(
            "The documentation was not made; dbt's words above say why. The build is not touched."
        )
        return
    copy = work / work_files.ARTIFACT_FOLDER / PAGE
    copy.parent.mkdir(parents=True, exist_ok=True)
    try:
        copy.write_bytes(redact_artifacts.page(page.read_bytes(), settings.redactor()))
    except errors.DocsFailed as cause:
        actions_runner.warning(cause.title, f"The documentation is not kept. {cause.what}")
        return
    actions_runner.say(f"The documentation of this pull request is in the artifact folder, {PAGE}.")
