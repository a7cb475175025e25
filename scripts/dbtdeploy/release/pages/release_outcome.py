"""How a release ended, in the words of the action's outputs. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy.context.deploy_files import Publication
from dbtdeploy.context.release_files import Released
from dbtdeploy.release.pages.release_page_model import ReleasePageInputs

FAILED = frozenset({"GateClosed", "TakenBack"})
"""The project is at fault; any other failure is an error."""


def released(there: Released | None, publication: Publication | None) -> Released | None:
    """How far it came, a build in place included.

    Args:
        there: what the swap and its publication left.
        publication: of what was built in place, or of the swap.
    """
    if publication is None or publication.version is None:
        return there
    return replace(there or Released(), version=publication.version)


def status(facts: ReleasePageInputs) -> str:
    """One of the words of the output ``status``."""
    failure, report = facts.failure, facts.report
    if failure is not None and failure.kind == "Cancelled":
        return "cancelled"
    if failure is not None:
        return "failed" if failure.kind in FAILED else "error"
    if report is not None and report.status in ("failed", "error", "cancelled"):
        return report.status
    there = facts.released
    if there is None or there.version is None or there.resumed == "nothing":
        return "nothing"
    warned = facts.plan is not None and any(g.outcome == "warned" for g in facts.plan.gates)
    return "warned" if warned or (report and report.status == "warned") else "passed"
