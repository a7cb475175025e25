"""Report -> Markdown that people read, through ``templates/``. The only user of jinja2.

Whatever a template prints is escaped as prose unless a filter made it Markdown, so a forgotten
filter shows as an ugly line and never as somebody's ``<img>``.
"""

from __future__ import annotations

import functools
import re
import shlex
from collections.abc import Callable
from pathlib import Path

import jinja2
from markupsafe import Markup

from dbtdeploy.base import markdown, text, timestamps
from dbtdeploy.dbt import dbt_error_hints
from dbtdeploy.report import template_filters
from dbtdeploy.report.deploy_page_model import DEPLOY, deploy_view
from dbtdeploy.report.page_model import COMMENT, SUMMARY, Limits, narrower, view
from dbtdeploy.report.report import NodeReport, Report

TEMPLATES = Path(__file__).resolve().parents[3] / "templates"

COMMENT_LIMIT_BYTES = 64_000
"""GitHub takes 65,536 characters; the rest is for the marker that the comment is found by."""

SUMMARY_LIMIT_BYTES = 1_000_000
"""GitHub drops a step summary above 1 MiB whole."""


def comment(report: Report) -> str:
    """The pull request's comment, without its marker; at most COMMENT_LIMIT_BYTES of UTF-8."""
    return _fitted("comment.md.j2", report, COMMENT, COMMENT_LIMIT_BYTES)


def summary(report: Report) -> str:
    """The step summary; at most SUMMARY_LIMIT_BYTES of UTF-8."""
    if report.deploy is not None:
        return _fitted("deploy_summary.md.j2", report, DEPLOY, SUMMARY_LIMIT_BYTES)
    return _fitted("summary.md.j2", report, SUMMARY, SUMMARY_LIMIT_BYTES)


def foreign_comment(report: Report, *, origin: str) -> str:
    """The comment for a report that a fork's run made, at most COMMENT_LIMIT_BYTES of UTF-8.

    Args:
        report: by ``fork_comment/foreign_report.py``.
        origin: ``fork`` or ``dependabot``.
    """

    def context(narrow: Limits) -> dict[str, object]:
        return {**_context(report, narrow), "origin": origin}

    return within("fork_comment/comment.md.j2", context, COMMENT, COMMENT_LIMIT_BYTES)


def template(name: str, **context: object) -> str:
    """Render one template of ``templates/`` with whatever it needs."""
    text = _environment().get_template(name).render(**context)
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


def within(
    name: str, context: Callable[[Limits], dict[str, object]], limits: Limits, most_bytes: int
) -> str:
    """Render within ``most_bytes``, cutting entries until it fits.

    Names of thousands of characters can make even one entry too long: then only the title is left,
    by the template ``too_long`` of the same folder.

    Args:
        name: of the template.
        context: what it needs, by how much of it a page shows.
        limits: to begin with.
        most_bytes: of UTF-8.
    """
    narrow: Limits | None = limits
    while narrow is not None:
        text = template(name, **context(narrow))
        if len(text.encode()) <= most_bytes:
            return text
        narrow = narrower(narrow)
    folder = name.split("/", 1)[0] if "/" in name else "report"
    return template(f"{folder}/too_long.md.j2", **context(limits))


def code(text: str) -> Markup:
    """A name of others as a code span, for whoever fills a template."""
    return _marked(markdown.code)(text)


def _fitted(name: str, report: Report, limits: Limits, most_bytes: int) -> str:
    def context(narrow: Limits) -> dict[str, object]:
        return _context(report, narrow)

    return within(name, context, limits, most_bytes)


def _context(report: Report, limits: Limits) -> dict[str, object]:
    deploy = report.deploy
    shown, own = deploy_view(report, deploy, limits) if deploy else (view(report, limits), None)
    return {
        "v": shown,
        "dv": own,
        "d": deploy,
        "report": report,
        "counts": report.counts,
        "cause": report.problem,
        "production": report.production,
        "run_url": report.run_url or None,
        # Artifacts of a run are listed at its page's foot.
        "artifact_url": f"{report.run_url}#artifacts" if report.run_url else None,
    }


@functools.cache
def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        finalize=_finalize,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    marked: dict[str, Callable[..., str]] = {
        "code": markdown.code,
        "fence": markdown.fence,
        "url": markdown.address,
        "inline": markdown.inline,
        "relation": template_filters.relation,
        "codes": template_filters.codes,
        "message": template_filters.message,
        "place": template_filters.place,
        "n": template_filters.number,
        "signed": template_filters.signed,
        "plural": text.plural,
        "kinds": template_filters.kinds,
        "comes": template_filters.comes,
        "seconds": template_filters.seconds,
        "instant": template_filters.instant,
        "age": text.age,
        "lasted": text.lasted,
        "opened": template_filters.opened,
        "sentence": template_filters.sentence,
        "moment": timestamps.for_people,
    }
    environment.filters.update({name: _marked(function) for name, function in marked.items()})
    environment.filters.update({"quoted": shlex.quote, "lowered": _lowered, "left": _left})
    environment.filters["kind"] = lambda caution: type(caution).__struct_config__.tag
    environment.filters.update({"why": _why, "first_line": _first_line})
    environment.filters["remedy"] = dbt_error_hints.remedy_for_node
    return environment


def _finalize(value: object) -> object:
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return _marked(markdown.prose)(value)
    return value


def _marked(function: Callable[..., str]) -> Callable[..., Markup]:
    """A function whose text is Markdown already, so that it is not escaped again."""
    return lambda *arguments: Markup(function(*arguments))  # noqa: S704 (its reason is above)


def _left(text: str, limits: Limits) -> int:
    return markdown.cut_lines(text, limits.message_lines, limits.message_chars)[1]


def _lowered(text: str) -> str:
    """A title as the end of a sentence: ``dbt: no access …``; ``SQL …`` keeps its capitals."""
    return text[:1].lower() + text[1:] if text[1:2].islower() or text[1:2] == " " else text


def _first_line(text: str) -> str:
    return text.lstrip().split("\n", 1)[0]


def _why(node: NodeReport) -> list[str]:
    """The reasons as keys of the template's words; a seed's body is data."""
    kinds = {"seed": "data", "function": "code"}
    return [
        kinds.get(node.resource_type, reason) if reason == "body" else reason
        for reason in node.why.reasons
    ]
