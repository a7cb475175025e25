"""The filters of the templates: figures and lists as people read them, already Markdown. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from dbtdeploy.base import markdown
from dbtdeploy.base.text import MINUTE, WEB, first, plural
from dbtdeploy.context.release_files import ReleaseNode
from dbtdeploy.report.page_model import Limits
from dbtdeploy.report.release_preview_report import NodeWhenReleased
from dbtdeploy.report.report import NodeReport, Place

SHORTEST = 0.1
ONE_DECIMAL_BELOW = 9.95
"""Seconds; 9.96 would round to ``10.0``, which claims more than it knows."""
SECONDS_BELOW = 100

PATH_CHARS = 300

QUOTES = {ord(mark): None for mark in '"`[]'}


def codes(names: Iterable[str], most: int) -> str:
    """Names as code, at most ``most`` of them and the rest counted."""
    return first([markdown.code(name) for name in names], most)


def relation(name: str) -> str:
    """``db.analytics.orders`` as code, without its quotes."""
    return markdown.code(name.translate(QUOTES), PATH_CHARS)


def message(text: str, limits: Limits) -> str:
    """A message in a fence, its first lines."""
    return markdown.fence(markdown.cut_lines(text, limits.message_lines, limits.message_chars)[0])


def place(where: Place) -> str:
    """``path:line`` as a link."""
    line = f":{where.line}" if where.line else ""
    return markdown.link(markdown.code(where.file + line, PATH_CHARS), where.url)


def number(value: int) -> str:
    """``10,251``."""
    return f"{value:,}"


def signed(value: int) -> str:
    """``+12``; a true minus sign lines up with the plus."""
    return f"{'+' if value > 0 else chr(0x2212)}{abs(value):,}"


def kinds(nodes: Iterable[NodeReport]) -> str:
    """``2 models and 1 seed``."""
    found = Counter("hook" if n.resource_type == "operation" else n.resource_type for n in nodes)
    parts = [plural(count, markdown.prose(kind)) for kind, count in found.most_common()]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


WRITTEN_INTO = frozenset({"incremental", "snapshot", "seed"})
"""Materializations that a release changes in place."""


def comes(node: NodeWhenReleased | ReleaseNode) -> str:
    """How a release brings a node: ``new``, ``replaced`` or ``changed in place``."""
    if node.kind == "A":
        return "new"
    written = node.materialized in WRITTEN_INTO and not node.full_refresh
    return "changed in place" if written else "replaced"


def seconds(value: float) -> str:
    """``2.1 s``, ``41 s``, ``3 min 20 s``, ``1 h 5 min``."""
    if value < SHORTEST:
        return f"&lt;{SHORTEST:.1f} s"
    if value < ONE_DECIMAL_BELOW:
        return f"{value:.1f} s"
    if value < SECONDS_BELOW:
        return f"{value:.0f} s"
    minutes, rest = divmod(round(value), MINUTE)
    if minutes < MINUTE:
        return f"{minutes} min {rest} s"
    return f"{minutes // MINUTE} h {minutes % MINUTE} min"


def instant(value: float) -> str:
    """``80 ms``; from a second on as ``seconds``."""
    return f"{value * 1000:.0f} ms" if value < 1 else seconds(value)


def sentence(text: str) -> str:
    """Words of ours with names of others in them, as one line, fit for a list or a table's cell."""
    return markdown.prose(" ".join(text.split()))


def opened(where: str) -> str:
    """An address as a link that shows it; anything else, such as a name or a folder, as code."""
    shown = markdown.code(where, PATH_CHARS)
    return markdown.link(shown, where if WEB.fullmatch(where) else None)
