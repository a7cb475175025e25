"""How far a run is, in words of people: what failures and reports name in place of a script."""

from __future__ import annotations

from enum import Enum


class Phase(str, Enum):
    """A part of a run. The values are what ``report.json`` and ``failure.json`` hold."""

    START = "start"
    """Reads the inputs and the event."""
    ADMISSION = "admission"
    """Asks whether this run may change anything now: the lease, the tag."""
    RECOVERY = "recovery"
    """Finishes or undoes what a stopped run left."""
    STATE = "state"
    """Fetches what production last ran."""
    PLAN = "plan"
    """Lists what is built, released, rolled back or dropped."""
    FRESHNESS = "source freshness"
    PREFLIGHT = "preflight"
    """Looks at the warehouse before anything in it is changed."""
    STAGING = "staging"
    """Makes the schemas beside production."""
    BUILD = "build"
    """dbt builds and tests."""
    GATES = "gates"
    """Judges what was staged."""
    RESTORE = "restore dependents"
    """Makes again what the build took along."""
    SWAP = "swap"
    """Staging goes live, or a release is rolled back."""
    LIVE_CHECK = "live check"
    """Tests what has just gone live."""
    DOCS = "documentation"
    """dbt writes it."""
    PUBLISH = "publish"
    """Writes the store."""
    UPLOAD = "documentation upload"
    """Lays the documentation of a release where people read it."""
    END = "end"
    """Frees the environment for the next run."""
    DROP = "drop"
    """Drops schemas and relations that are no longer needed."""
    REPORT = "report"
    """Tells people and GitHub."""
    STORE = "store"
    """A command on the store alone."""


AFTER_THE_BUILD = frozenset({Phase.RESTORE, Phase.DOCS, Phase.PUBLISH})
"""What fails in these leaves the warehouse as the build made it, and the state must say so."""
