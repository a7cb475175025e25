"""Versions as people read them: the rows of a table, in the log and in the summary. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from dbtdeploy.admin.retention import Decision
from dbtdeploy.base import timestamps
from dbtdeploy.context.work_files import Event
from dbtdeploy.store.inventory import Inventory, VersionFolder

MOST = 500
"""Rows in a summary; 1 MiB, GitHub's limit, is some 4,000 of them. The log has all."""

TITLES = ("version", "commit", "when", "who", "state", "size")


class VersionRow(Struct, frozen=True, kw_only=True):
    """One version or failed run."""

    version: str
    commit: str
    commit_url: str | None
    when: str
    who: str
    run_url: str | None
    state: str
    size: str
    why: str = ""

    @property
    def cells(self) -> tuple[str, ...]:
        """As the log shows it."""
        return (self.version, self.commit, self.when, self.who, self.state, self.size, self.why)


def of_versions(found: Inventory, event: Event) -> list[VersionRow]:
    """A row for each version, newest first.

    Args:
        found: what the store holds.
        event: what asks; its repository is where the commits are.
    """
    return [_row(folder, found.state_of(folder), event) for folder in found.versions]


def of_decisions(decisions: Sequence[Decision], event: Event) -> list[VersionRow]:
    """A row for each decision, with its reason."""
    return [_row(item.folder, item.state, event, why=item.why) for item in decisions]


def table(rows: Sequence[VersionRow]) -> str:
    """The rows as lines of plain text, in columns."""
    lines = [(*TITLES, ""), *(row.cells for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    padded = (zip(line, widths, strict=True) for line in lines)
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in pairs).rstrip() for pairs in padded
    )


def size(count: int) -> str:
    """``812 B``, ``41.3 kB``, ``1.9 MB``."""
    for factor, unit in ((1_000_000_000, "GB"), (1_000_000, "MB"), (1_000, "kB")):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} B"


def _row(folder: VersionFolder, state: str, event: Event, *, why: str = "") -> VersionRow:
    index = folder.index
    commit = index.commit if index else None
    # An adopted version's commit is what its manifest says, which may be another repository's.
    linked = commit and event.repository and index and index.run_url
    return VersionRow(
        version=folder.name,
        commit=(commit or "")[:7],
        commit_url=f"{event.server_url}/{event.repository}/commit/{commit}" if linked else None,
        when=timestamps.for_people(timestamps.written(folder.made)),
        who=index.created_by if index else "",
        run_url=(index.run_url or None) if index else None,
        state=state if index is None or state == index.kind else _with_kind(state, index.kind),
        size=size(folder.size),
        why=why,
    )


def _with_kind(state: str, kind: str) -> str:
    return f"{state} ({kind})" if kind == "adopted" and state == "current" else state
