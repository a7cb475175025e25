"""The comment that marks a schema as a pull request's own. Pure.

The first line says whose it is and never changes; the second when it was last used. Both hold
nothing that a SQL string would have to escape.
"""

from __future__ import annotations

from urllib.parse import quote

from dbtdeploy.files import Run


def schema_mark(run: Run) -> str:
    """The comment for the schemas of this run."""
    event = run.event
    number = event.pull_request
    place = f"pull_request={number}" if number is not None else f"ref={quote(event.ref)}"
    owner = (
        f"dbt-deploy repository={quote(event.repository)} project={quote(run.dbt.name)} "
        f"target={quote(run.dbt.target or '')} {place}"
    )
    return f"{owner}\nlast used {run.started_at}"
