"""A release -> Markdown that people read: its summary, and the GitHub release's notes.

``render.py`` escapes whatever others wrote, as for every page.
"""

from __future__ import annotations

from dbtdeploy.base import text
from dbtdeploy.context.release_files import ReleasePlan
from dbtdeploy.release.pages.release_page_model import ReleasePageInputs, release_view
from dbtdeploy.release.pages.release_plan_page_model import NOTES, RELEASE, plan_view
from dbtdeploy.report.page_model import Limits
from dbtdeploy.report.render import SUMMARY_LIMIT_BYTES, within

NOTES_LIMIT_BYTES = 120_000
"""GitHub takes 125,000 characters as a release's body."""


def release_summary(facts: ReleasePageInputs) -> str:
    """The step summary of a release, or of its dry run; at most SUMMARY_LIMIT_BYTES of UTF-8."""

    def context(limits: Limits) -> dict[str, object]:
        own, plan, built = release_view(facts, limits)
        run_url = facts.run.event.run_url or None
        return {
            "r": own,
            "p": plan,
            "v": built,
            "d": None,
            "repointed": facts.released.repointed if facts.released else (),
            "report": facts.report,
            "counts": facts.report.counts if facts.report else None,
            "run_url": run_url,
            "artifact_url": f"{run_url}#artifacts" if run_url else None,
        }

    return within("release/summary.md.j2", context, RELEASE, SUMMARY_LIMIT_BYTES)


def release_notes(
    plan: ReleasePlan,
    *,
    repository: str,
    server_url: str,
    run_url: str = "",
    docs_url: str | None = None,
    previous_tag: str | None = None,
    version: str | None = None,
    swap_seconds: float | None = None,
    keep_hours: int = 24,
    rollback_workflow: str = "dbt-rollback.yml",
) -> str:
    """The body of a GitHub release; at most NOTES_LIMIT_BYTES of UTF-8.

    Args:
        plan: the final one.
        repository: ``owner/name``; empty outside GitHub.
        server_url: GitHub's address.
        run_url: of the run that releases.
        docs_url: where the project's documentation is read.
        previous_tag: of the version before, if it has one.
        version: the id of the one that goes live, once it has one.
        swap_seconds: how long the swap took, once it is done.
        keep_hours: how long replaced relations are kept.
        rollback_workflow: the caller's workflow that starts a rollback.
    """
    compared = repository and previous_tag and previous_tag != plan.tag
    where = f"{server_url}/{repository}/compare/{previous_tag}...{plan.tag}"

    def context(limits: Limits) -> dict[str, object]:
        return {
            "p": plan_view(plan, limits),
            "repointed": (),
            "run_url": run_url or None,
            "docs_link": docs_url if text.WEB.fullmatch(docs_url or "") else None,
            "previous_tag": previous_tag,
            "version": version,
            "swap_seconds": swap_seconds,
            "keep_hours": keep_hours,
            "rollback_workflow": rollback_workflow,
            "compare_url": where if compared else None,
        }

    return within("release/notes.md.j2", context, NOTES, NOTES_LIMIT_BYTES)
