"""The parse of our own package of macros: done once for an environment, then only read.

dbt takes another schema for a changed profile and parses anew, dbt's and the adapter's 480 macros
among it (1.2 s of CPU). What is parsed of a macro is its text: neither connection nor variables
are there when it is (``MacroParser`` in dbt/parser/macros.py renders nothing). So where there is
nothing but macros, only they are compared, which dbt does by the files' digests.
"""

from __future__ import annotations

from typing import Any

OTHER = (
    *("nodes", "sources", "exposures", "metrics", "semantic_models", "saved_queries"),
    *("unit_tests", "functions", "disabled"),
)
OF_THE_CONNECTION = ("vars_hash", "profile_hash", "profile_env_vars_hash")
"""``ManifestStateCheck`` in dbt/contracts/graph/manifest.py."""


def parse_once() -> None:
    """For a process that runs a macro of ours: accept a saved parse of any connection."""
    from dbt.parser.manifest import ManifestLoader

    check = getattr(ManifestLoader, "is_partial_parsable", None)
    if check is None:
        return

    def is_partial_parsable(self: Any, manifest: Any) -> Any:
        if not any(getattr(manifest, name, None) for name in OTHER):
            for name in OF_THE_CONNECTION:
                if hasattr(manifest.state_check, name):
                    setattr(manifest.state_check, name, getattr(self.manifest.state_check, name))
        return check(self, manifest)

    ManifestLoader.is_partial_parsable = is_partial_parsable
