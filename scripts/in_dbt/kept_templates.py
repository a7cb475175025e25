"""What Jinja compiles dbt's and the adapter's macros to, kept between jobs.

A command compiles the macros that it calls, some 30 of those that come with dbt, and each process
does it anew: Jinja reads the text, writes Python and compiles that (0.04 s of CPU). The outcome
depends on the text and the installed packages, so that it is found by the whole text.

Not kept are macros of the project and its packages: they would pile up where a folder stays.
Source: ``TemplateCache.get_node_template`` in dbt_common/clients/jinja.py.
"""

from __future__ import annotations

import contextlib
import os
import threading
from types import CodeType
from typing import Any, Dict, List

import kept_file

FILE = "templates.bin"
OURS = "dbtdeploy"
"""``name`` in templates/dbt_package/dbt_project.yml."""

_known: Dict[str, CodeType] = {}
"""By their text."""
_new: Dict[str, CodeType] = {}
_paths: List[str] = []


class _Making(threading.local):
    """Whether this thread compiles one of those macros now."""

    is_kept = False


_making = _Making()


def use(folder: str, adapters: List[str]) -> None:
    """Take code from this folder; have compiled what is not there.

    Args:
        folder: of this environment and of no other; it may be missing.
        adapters: whose macros are kept, beside dbt's and ours.
    """
    from dbt_common.clients import jinja

    look_up = getattr(getattr(jinja, "TemplateCache", None), "get_node_template", None)
    environment: Any = getattr(jinja, "MacroFuzzEnvironment", None)
    if look_up is None or environment is None or getattr(jinja, "MACRO_DEBUGGING", True):
        return
    packages = {"dbt", OURS, *("dbt_" + name for name in adapters)}
    _paths[:] = [os.path.join(folder, FILE)]
    _known.update(kept_file.read_code(_paths[0]))
    compile_anew = environment.compile

    def get_node_template(self: Any, node: Any) -> Any:
        _making.is_kept = getattr(node, "package_name", None) in packages
        try:
            return look_up(self, node)
        finally:
            _making.is_kept = False

    def compile_or_find(self: Any, source: Any, *args: Any, **options: Any) -> Any:
        is_kept = _making.is_kept and type(self) is environment and type(source) is str
        if not is_kept or args or options:
            return compile_anew(self, source, *args, **options)
        code = _known.get(source)
        if code is None:
            code = _known[source] = _new[source] = compile_anew(self, source)
        return code

    jinja.TemplateCache.get_node_template = get_node_template
    environment.compile = compile_or_find


def write_new() -> None:
    """Write the file anew if code was compiled that was not in it.

    The job whose cache is kept may be a deploy: where it ran one macro of ours, the others, which
    pull requests call, are compiled too.
    """
    if not _new:
        return
    with contextlib.suppress(Exception):
        # What cannot be compiled here is compiled when it is called.
        _compile_ours()
    kept_file.add_code(_paths[0], _new)


def _compile_ours() -> None:
    from dbt.adapters.factory import FACTORY
    from dbt_common.clients import jinja

    for adapter in FACTORY.adapters.values():
        for macro in adapter.get_macro_resolver().macros.values():
            if macro.package_name == OURS:
                jinja.template_cache.get_node_template(macro)
