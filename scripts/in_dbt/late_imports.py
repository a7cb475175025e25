"""What dbt imports at once and seldom calls is imported when it is called.

``dbt.parser.osi`` imports metricflow's converter, and that a parser of SQL, for projects with files
of the Open Semantic Interchange (0.09 s of CPU, dbt 1.12).
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from types import ModuleType
from typing import Any, List

CALLED = {"metricflow.converters.osi_to_msi": "OSIToMSIConverter"}
"""Modules of which dbt takes one name, which it calls and does nothing else with."""


def hold_back() -> List[str]:
    """Before dbt is imported; gives the modules that are held back, for ``let_go``."""
    held = []
    for module, name in CALLED.items():
        if module not in sys.modules and _is_there(module):
            stand_in = ModuleType(module)
            setattr(stand_in, name, _late(module, name))
            sys.modules[module] = stand_in
            held.append(module)
    return held


def let_go(held: List[str]) -> None:
    """Once dbt is imported: whoever imports them now gets them."""
    for module in held:
        del sys.modules[module]


def _is_there(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is not None
    except Exception:
        # Its packages are imported to look for it. Where dbt wants them, it meets the same.
        return False


def _late(module: str, name: str) -> Any:
    def call(*args: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **options)

    return call
