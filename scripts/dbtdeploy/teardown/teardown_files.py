"""The files that the scripts of ``teardown`` hand each other, as types; see ``work_files.py``."""

from __future__ import annotations

from msgspec import Struct

from dbtdeploy.warehouse.schema_owner import Owner

FOUND_SCHEMAS = "found_schemas.json"
CHOSEN_SCHEMAS = "chosen_schemas.json"
TEARDOWN = "teardown.json"


class MarkedSchema(Struct, frozen=True, kw_only=True):
    """A schema as it was found, with its whole comment."""

    schema: str
    comment: str
    database: str | None = None


class FoundSchemas(Struct, frozen=True, kw_only=True):
    """``found_schemas.json``: all schemas that bear a mark of this project and target."""

    schemas: tuple[MarkedSchema, ...] = ()


class WantedSchema(Struct, frozen=True, kw_only=True):
    """A schema that shall go."""

    schema: MarkedSchema
    owner: Owner
    why: str


class KeptSchema(Struct, frozen=True, kw_only=True):
    """A schema that stays, and why."""

    schema: str
    reason: str
    remedy: str = ""
    owner: str = ""
    """For people; empty where it bears no mark of ours."""
    pull_request: int | None = None
    should_go: bool = False
    """Whether it is in the way: it was to be dropped, and could not be."""


class ChosenSchemas(Struct, frozen=True, kw_only=True):
    """``chosen_schemas.json``: what a sweep drops and what it leaves."""

    wanted: tuple[WantedSchema, ...] = ()
    kept: tuple[KeptSchema, ...] = ()
    closed: tuple[int, ...] = ()
    """Pull requests that GitHub says are closed, those without schemas too."""
    unasked: str = ""
    """Why GitHub was not asked about all of them."""


class DroppedSchema(Struct, frozen=True, kw_only=True):
    """A schema that is gone, or would be."""

    schema: str
    owner: str
    """``pull request 12`` or ``branch feature/x``."""
    pull_request: int | None = None
    why: str = ""


class Teardown(Struct, frozen=True, kw_only=True):
    """``teardown.json``: what became of the schemas."""

    dropped: tuple[DroppedSchema, ...] = ()
    kept: tuple[KeptSchema, ...] = ()
    dry_run: bool = False
    closed: tuple[int, ...] = ()
    """Pull requests whose registry entries are no longer needed."""
    unasked: str = ""
    """Why GitHub was not asked about all pull requests."""
    finished_at: str = ""
    """ISO 8601, UTC."""
