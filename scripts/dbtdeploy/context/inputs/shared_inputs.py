"""Inputs that several commands share -> the part of the policy that they share."""

from __future__ import annotations

from pathlib import Path

from msgspec.structs import asdict

from dbtdeploy.base.settings import Inputs
from dbtdeploy.base.text import WEB
from dbtdeploy.context.inputs.input_values import flag, invalid, number, one_of, path
from dbtdeploy.context.policies import (
    BuildsProduction,
    CommandPolicy,
    InProduction,
    OfPullRequests,
)

FRESHNESS = ("warn", "fail", "off")


def location(inputs: Inputs, workspace: Path) -> str:
    """The store's location, a folder's absolute.

    Raises:
        InvalidInput: it is not given.
    """
    state = inputs.state
    if not state:
        raise invalid("state", "is empty", "Set it to `s3://bucket/prefix` or to a folder.")
    return state if "://" in state else str(path("state", state, workspace))


def every_command(inputs: Inputs, workspace: Path) -> CommandPolicy:
    """What every command has.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    return CommandPolicy(
        state=location(inputs, workspace),
        fail_on_warnings=flag("fail-on-warnings", inputs.fail_on_warnings, default=False),
        hide_row_data=flag("hide-row-data", inputs.hide_row_data, default=False),
    )


def of_pull_requests(inputs: Inputs, workspace: Path) -> OfPullRequests:
    """What ``ci`` and ``teardown`` share.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    return OfPullRequests(
        **asdict(every_command(inputs, workspace)),
        comment=flag("comment", inputs.comment, default=True),
        comment_author=inputs.comment_author or "github-actions[bot]",
    )


def in_production(inputs: Inputs, workspace: Path) -> InProduction:
    """What every command that works in an environment shares.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    if inputs.docs_url and not WEB.fullmatch(inputs.docs_url):
        raise invalid(
            "docs-url", f"is {inputs.docs_url!r}", "Use an address that begins with https://."
        )
    return InProduction(
        **asdict(every_command(inputs, workspace)),
        environment=inputs.environment or "production",
        wait_minutes=number("wait-minutes", inputs.wait_minutes, least=0, default=0),
        docs_url=inputs.docs_url or None,
    )


def builds_production(inputs: Inputs, workspace: Path, *, retry_failed: bool) -> BuildsProduction:
    """What ``deploy`` and ``release`` share.

    Args:
        inputs: as given.
        workspace: the folder that relative paths start from.
        retry_failed: whether what failed before is built too, where nothing is selected by name.

    Raises:
        InvalidInput: an input that cannot be understood; the message names it.
    """
    where = inputs.docs_location
    if "://" in where and not where.startswith("s3://"):
        raise invalid(
            "docs-location", f"is {where!r}", "Use `s3://bucket/prefix` or the path of a folder."
        )
    return BuildsProduction(
        **asdict(in_production(inputs, workspace)),
        retry_failed=retry_failed and not (inputs.select or inputs.selector),
        retries=number("retries", inputs.retries, least=0, default=1),
        time_limit_minutes=number("time-limit-minutes", inputs.time_limit_minutes),
        docs=flag("docs", inputs.docs, default=True),
        docs_location=(where if "://" in where else str(path("docs-location", where, workspace)))
        if where
        else None,
        source_freshness=one_of("source-freshness", inputs.source_freshness or "warn", FRESHNESS),
        allow_older=flag("allow-older", inputs.allow_older, default=False),
    )
