"""Why a saved parse is not used."""

from __future__ import annotations


class RefusedError(Exception):
    """A saved parse can't be used; says why."""
