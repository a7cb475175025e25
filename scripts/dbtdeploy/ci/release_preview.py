"""A pull request's nodes -> what a release of them would do. Pure.

The first version of the release's plan, without the warehouse: see ``release_plan.py``.
"""

from __future__ import annotations

from msgspec.structs import replace

from dbtdeploy.artifacts.artifacts import TESTS, Manifest, Node
from dbtdeploy.base import errors
from dbtdeploy.context import work_files
from dbtdeploy.context.release_files import ReleaseNode
from dbtdeploy.release import release_nodes
from dbtdeploy.release.gates import breaking, downstream_check
from dbtdeploy.release.release_refusals import SUPPORTED
from dbtdeploy.report.build_report import BuildReportInputs
from dbtdeploy.report.release_preview_report import NodeWhenReleased, WhenReleased
from dbtdeploy.report.report import Report
from dbtdeploy.store import environment_settings


def added(report: Report, inputs: BuildReportInputs) -> Report:
    """The report of a pull request with what a release of it would do.

    Where merges drive the environment, or the warehouse has no such releases, there is none.

    Args:
        report: as ``build_report`` made it.
        inputs: what it was made of.
    """
    driver = inputs.state.driver if inputs.state else None
    adapter = inputs.manifest.metadata.adapter_type if inputs.manifest else None
    if driver != environment_settings.RELEASE or adapter != SUPPORTED:
        return report
    found = of(inputs.run, inputs.plan, inputs.manifest, inputs.production_manifest)
    return replace(report, when_released=found)


def of(
    run: work_files.Run,
    planned: work_files.Plan | None,
    manifest: Manifest | None,
    production: Manifest | None,
) -> WhenReleased | None:
    """What a release would bring; None where a pull request builds no node, and in a deploy.

    Args:
        run: the pull request's.
        planned: what it builds.
        manifest: its own.
        production: of what it was compared with; None where there is nothing.
    """
    listed = [
        node
        for node in (planned.nodes if planned else ())
        if node.resource_type not in TESTS and node.has_result
    ]
    if run.command != "ci" or not listed or manifest is None or production is None:
        return None
    # A full refresh of the pull request's own schema says nothing of its release.
    asked = replace(run, selection=work_files.Selection())
    facts = release_nodes.ReleaseNodeInputs(
        run=asked,
        manifest=manifest,
        production=production,
        look=None,
        method="blue-green",
        again=frozenset(),
    )
    try:
        nodes = [release_nodes.node(node, facts) for node in listed]
        downstream_check.refuse_built_too_early(nodes, manifest)
    except (errors.InvalidInput, errors.ReleaseNotClosed) as refusal:
        return WhenReleased(nodes=(), refused=f"{refusal.what}\n\n{refusal.remedy}")
    described = tuple(_described(node, manifest, production) for node in nodes)
    return WhenReleased(nodes=described, refused=None)


def _described(node: ReleaseNode, manifest: Manifest, production: Manifest) -> NodeWhenReleased:
    new = manifest.find(node.unique_id) or Node(name=node.name)
    return NodeWhenReleased(
        unique_id=node.unique_id,
        name=node.name,
        materialized=node.materialized,
        kind=node.kind,
        method=node.method,
        full_refresh=node.full_refresh,
        breaking=breaking.by_definition(node, new, production.find(node.unique_id)),
        exposures=node.exposures,
        back_by=node.back_by,
    )
