"""What ``report.json`` of a pull request says of its release, as types.

``docs/report.md`` describes every field, as it does those of ``report.py``.
"""

from __future__ import annotations

from msgspec import Struct

from dbtdeploy.context.release_files import BackBy, Kind, Method


class NodeWhenReleased(Struct, frozen=True, kw_only=True):
    """A model, seed, snapshot or function that the release would bring."""

    unique_id: str
    name: str
    materialized: str
    kind: Kind
    method: Method
    full_refresh: bool
    breaking: tuple[str, ...]
    exposures: tuple[str, ...]
    back_by: BackBy


class WhenReleased(Struct, frozen=True, kw_only=True):
    """The release of this pull request, by the manifests alone: nobody asked production."""

    nodes: tuple[NodeWhenReleased, ...]
    refused: str | None
