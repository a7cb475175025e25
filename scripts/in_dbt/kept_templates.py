"""What Jinja compiles dbt's and the adapter's macros to, kept between jobs.

A command compiles the macros that it calls, some 30 of those that come with dbt, and each process
does it anew: Jinja reads the text, writes Python and compiles that (0.04 s of CPU). The outcome
depends on the text and the installed packages, so that it is found by the whole text.

Not kept are macros of the project and its packages: they would pile up where a folder stays. Of
ours there are those of each version of this action that was used with it.
Source: ``TemplateCache.get_node_template`` in dbt_common/clients/jinja.py.
"""

from __future__ import annotations

import contextlib
import threading
from typing import Any, List

import kept_file

OURS = "dbtdeploy"
"""``name`` in templates/dbt_package/dbt_project.yml."""

kept = kept_file.KeptCode("templates.bin")
"""By the macro's text."""


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
    if look_up is None or environment is None or not hasattr(jinja, "MACRO_DEBUGGING"):
        return
    packages = {"dbt", OURS, *("dbt_" + name for name in adapters)}
    kept.use(folder)
    compile_anew = environment.compile

    def get_node_template(self: Any, node: Any) -> Any:
        _making.is_kept = getattr(node, "package_name", None) in packages
        try:
            return look_up(self, node)
        finally:
            _making.is_kept = False

    def compile_or_find(self: Any, source: Any, *args: Any, **options: Any) -> Any:
        is_plain = type(self) is environment and type(source) is str and not args and not options
        # With dbt's --macro-debugging the code names a file that is written for it.
        if not _making.is_kept or not is_plain or jinja.MACRO_DEBUGGING:
            return compile_anew(self, source, *args, **options)
        if source not in kept.known:
            kept.add(source, compile_anew(self, source))
        return kept.known[source]

    jinja.TemplateCache.get_node_template = get_node_template
    environment.compile = compile_or_find


def write_new() -> None:
    """Write the file anew if code was compiled that was not in it.

    The job whose cache is kept may be a deploy: where it ran one macro of ours, the others, which
    pull requests call, are compiled too.
    """
    if kept.new:
        # What other commands of this job have compiled is not compiled again.
        kept.read()
        with contextlib.suppress(Exception):
            # What cannot be compiled here is compiled when it is called.
            _compile_ours()
    kept.write_new()


def _compile_ours() -> None:
    from dbt.adapters.factory import FACTORY
    from dbt_common.clients import jinja

    for adapter in FACTORY.adapters.values():
        for macro in adapter.get_macro_resolver().macros.values():
            if macro.package_name == OURS:
                jinja.template_cache.get_node_template(macro)
