"""The files that the scripts of ``teardown`` hand each other, as types; see ``work_files.py``."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct

from dbtdeploy.context import hand_over
from dbtdeploy.context.hand_over import HandOver
from dbtdeploy.warehouse.schema_owner import Owner


class MarkedSchema(Struct, frozen=True, kw_only=True):
    """A schema as it was found, with its whole comment."""

    schema: str
    comment: str
    database: str | None = None


class FoundSchemas(HandOver, frozen=True, kw_only=True):
    """All schemas that bear a mark of this project and target."""

    FILE: ClassVar[str] = hand_over.PLAN

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
    foreign: bool = False
    """Whether another role owns it: its mark, which that role wrote, says nothing to others."""


class ChosenSchemas(HandOver, frozen=True, kw_only=True):
    """What a sweep drops and what it leaves."""

    FILE: ClassVar[str] = hand_over.PLAN

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


class Teardown(HandOver, frozen=True, kw_only=True):
    """What became of the schemas."""

    FILE: ClassVar[str] = hand_over.PUBLISHED

    dropped: tuple[DroppedSchema, ...] = ()
    kept: tuple[KeptSchema, ...] = ()
    dry_run: bool = False
    closed: tuple[int, ...] = ()
    """Pull requests whose registry entries are no longer needed."""
    unasked: str = ""
    """Why GitHub was not asked about all pull requests."""
    finished_at: str = ""
    """ISO 8601, UTC."""
