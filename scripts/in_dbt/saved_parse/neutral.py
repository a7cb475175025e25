"""Which Jinja comes out the same at parse time whatever the target is.

What it is for: a saved parse of one target is to serve another. A text is *neutral* if everything
that dbt records while it renders it (refs, sources, config, macros called) cannot depend on the
target, so that only its text could. A text is judged by the syntax tree that dbt's own Jinja
environment makes of it, by what is allowed: a name, a tag or a call that isn't known here makes
it not neutral, which costs a parse of that file and never a wrong result.

Values that may depend on the target are called *tainted* (`target`, `this`, what ref() gives at
parse time: ParseRefResolver in dbt/context/providers.py gives the relation of the node itself).
They may be printed, for what is printed is thrown away at parse time (render_with_context in
dbt/parser/base.py), and handed to macros that only print them. They may not decide (if, for), nor
be an argument of what is recorded.

`execute` is False at parse time (ParseProvider in dbt/context/providers.py), so what stands
behind it is not looked at, and what follows a return() of a macro isn't either.

Runs in the caller's interpreter, Python 3.10 or newer: standard library and dbt (with Jinja) only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

# Context members that are the same for every target (dbt/context/base.py, configured.py).
SAME_VALUES = frozenset(("execute", "dbt_version", "project_name", "loop", "none", "true", "false"))

# Context members whose value may differ from one parse to the next (dbt/context/providers.py).
TAINTED_VALUES = frozenset(
    (
        *("target", "this", "schema", "database", "model", "flags", "run_started_at", "graph"),
        *("invocation_id", "invocation_args_dict", "pre_hooks", "post_hooks", "sql", "thread_id"),
        *("selected_resources", "caller", "varargs", "kwargs", "dbt_metadata_envs"),
    )
)

# What is called and notes something on the node, or looks something up: no tainted argument.
RECORDING = frozenset(("ref", "source", "metric", "function", "config", "var", "env_var", "doc"))
RELATIONS = frozenset(("ref", "source", "metric", "function"))

# What only turns its arguments into a value (dbt/context/base.py; jinja2/defaults.py).
PURE = frozenset(
    (
        *(
            "return",
            "log",
            "print",
            "tojson",
            "fromjson",
            "toyaml",
            "fromyaml",
            "set",
            "set_strict",
        ),
        *(
            "load_result",
            "zip",
            "zip_strict",
            "local_md5",
            "range",
            "dict",
            "namespace",
            "diff_of_two_dicts",
        ),
    )
)
# The value of these is nothing, whatever they are given.
SILENT = frozenset(("log", "print"))

# Methods of the adapter that run at parse time, too, and look at their arguments only.
PLAIN_METHODS = frozenset(("quote", "type"))

# Names whose meaning is built in below.
UNTOUCHABLE = frozenset(("execute", "return", "adapter", "builtins", "modules"))

# Filters in MetricFlow's syntax within yml are not rendered by dbt (dbt/parser/schema_renderer.py).
METRICFLOW = frozenset(("Dimension", "TimeDimension", "Entity", "Metric"))

# Without a target and macros: what SchemaYamlContext (dbt/context/configured.py) and the renderer
# of
# dbt_project.yml (dbt/config/renderer.py) know, less the target.
YML = frozenset(("var", "env_var", "doc", "fromjson", "tojson", "fromyaml", "toyaml"))

PAIR = 2  # a.b
FUNCTION_LIKE = re.compile(r"^\s*(env_var|ref|var|source|doc)\s*\(.+\)\s*$")


class NotNeutralError(Exception):
    """Something in the text may depend on the target; says what."""


def has_jinja(text: str) -> bool:
    """Whether a text has anything that Jinja would look at."""
    return "{{" in text or "{%" in text or "{#" in text


class _Scope:
    """The names of one template or macro: which are its own, and which of them may be tainted."""

    def __init__(self, own: Iterable[str], tainted: Iterable[str], in_macro: bool) -> None:
        self.own: set[str] = set(own)
        self.tainted: set[str] = set(tainted)
        self.in_macro = in_macro
        self.prints_taint = False
        # Names that only ever hold what adapter.dispatch gave, and the macros that it may be.
        self.dispatched: dict[str, list[str]] = {}


class Neutrality:
    """Judges texts, given all macros that they may call.

    Args:
        environment: dbt's Jinja environment (dbt_common.clients.jinja.get_environment).
        macros: name -> the texts of all macros of that name, of every package.
        packages: names under which macros may be called (`dbt_utils.star`).
        replaced: methods of the adapter that dbt replaces by constants at parse time
            (`_parse_replacements_`, ParseDatabaseWrapper in dbt/context/providers.py).
        env_vars_are_followed: dbt notes which env vars the text uses and parses it again when
            one has changed (env_var of ModelContext and of SchemaYamlContext). False for what it
            doesn't follow, such as hooks in dbt_project.yml.
    """

    def __init__(
        self,
        environment: Any,
        macros: Mapping[str, Sequence[str]],
        packages: Iterable[str],
        replaced: Iterable[str],
        *,
        env_vars_are_followed: bool = True,
    ) -> None:
        from jinja2 import nodes

        self._nodes = nodes
        self._environment = environment
        self._macros = macros
        self._packages = frozenset(packages)
        self._replaced = frozenset(replaced)
        self._env_vars = env_vars_are_followed
        self._implementations: dict[str, list[str]] = {}
        for name in macros:
            if "__" in name:
                for place in (m.start() for m in re.finditer("__", name)):
                    self._implementations.setdefault(name[place + 2 :], []).append(name)
        self._parsed: dict[str, list[Any]] = {}
        self._judged: dict[tuple[str, frozenset[str]], Any] = {}
        self._texts: dict[str, tuple[str, bool]] = {}
        self._yml = False

    # What is asked from outside.

    def text(self, text: str) -> str:
        """'' if the text is neutral as a node's code or hook, else why it isn't."""
        return self._verdict(text, yml=False)[0]

    def argument(self, value: Any) -> tuple[str, bool]:
        """Why a test's argument isn't neutral ('' if it is), and whether it is tainted.

        As add_rendered_test_kwargs of dbt/clients/jinja.py renders it.
        """
        if isinstance(value, str):
            text = "{{ " + value + " }}" if FUNCTION_LIKE.match(value) else value
            return self._verdict(text, yml=False) if has_jinja(text) else ("", False)
        tainted = False
        if isinstance(value, dict):
            value = list(value.values())
        if isinstance(value, (list, tuple)):
            for each in value:
                reason, each_is = self.argument(each)
                if reason:
                    return reason, True
                tainted = tainted or each_is
        return "", tainted

    def yml(self, text: str) -> str:
        """'' if a string of a yml file is the same for every target, else why it may not be."""
        reason, tainted = self._verdict(text, yml=True)
        return reason or ("its value may depend on the target" if tainted else "")

    def macro(self, name: str, tainted: Iterable[str]) -> tuple[str, bool]:
        """Why a macro isn't neutral ('' if it is), and whether what it gives may be tainted.

        Args:
            name: the macro's name without its package; all that bear it must be neutral.
            tainted: parameters whose values may depend on the target.
        """
        try:
            result = False
            for text in self._macros.get(name) or self._missing(name):
                result = self._macro(text, frozenset(tainted)) or result
        except NotNeutralError as reason:
            return str(reason), True
        except Exception as error:
            return f"Jinja's syntax tree could not be read ({type(error).__name__})", True
        return "", result

    def _missing(self, name: str) -> Sequence[str]:
        raise NotNeutralError(f"the macro {name} is not known")

    def _verdict(self, text: str, *, yml: bool) -> tuple[str, bool]:
        key = ("y" if yml else "n") + text
        if key not in self._texts:
            self._yml = yml
            try:
                body = self._environment.parse(text).body
                self._texts[key] = ("", self._template(body, (), (), in_macro=False))
            except NotNeutralError as reason:
                self._texts[key] = (str(reason), True)
            except Exception as error:
                why = f"Jinja's syntax tree could not be read ({type(error).__name__})"
                self._texts[key] = (why, True)
            finally:
                self._yml = False
        return self._texts[key]

    # Templates and macros.

    def _template(
        self, body: list[Any], params: Iterable[str], tainted: Iterable[str], *, in_macro: bool
    ) -> bool:
        """Whether what the body prints may be tainted; raises if it isn't neutral."""
        given = set(params)
        own = set(given)
        for statement in body:
            for name in statement.find_all(self._nodes.Name):
                if name.ctx in ("store", "param"):
                    own.add(name.name)
        # A parameter holds in the whole macro, a name that is set may be the context's before it.
        context = SAME_VALUES | RECORDING | PURE | UNTOUCHABLE
        shadowed = (own - given - {"loop"}) & context | given & UNTOUCHABLE
        if shadowed:
            raise NotNeutralError(f"the name {sorted(shadowed)[0]} is given another meaning")
        scope = _Scope(own, {*tainted, *((own - given) & TAINTED_VALUES)}, in_macro)
        scope.dispatched = self._dispatched_names(body, given, scope)
        while True:
            before = len(scope.tainted)
            self._statements(body, scope)
            if len(scope.tainted) == before:
                return scope.prints_taint

    def _dispatched_names(
        self, body: list[Any], given: set[str], scope: _Scope
    ) -> dict[str, list[str]]:
        nodes = self._nodes
        stored: dict[str, int] = {}
        found: dict[str, list[str]] = {}
        for statement in body:
            for name in statement.find_all(nodes.Name):
                if name.ctx in ("store", "param"):
                    stored[name.name] = stored.get(name.name, 0) + 1
            assigns = [*statement.find_all(nodes.Assign)]
            assigns += [statement] if isinstance(statement, nodes.Assign) else []
            for each in assigns:
                if isinstance(each.target, nodes.Name) and self._is_dispatch(each.node):
                    names = self._dispatched(each.node, scope)
                    found[each.target.name] = found.get(each.target.name, []) + names
                    stored[each.target.name] -= 1
        return {
            name: names for name, names in found.items() if not stored[name] and name not in given
        }

    def _is_dispatch(self, node: Any) -> bool:
        call = isinstance(node, self._nodes.Call)
        return call and self._path(node.node) == ["adapter", "dispatch"] and not self._yml

    def _macro(self, text: str, tainted: frozenset[str]) -> bool:
        key = (text, tainted)
        if key in self._judged:
            judged = self._judged[key]
            if isinstance(judged, NotNeutralError):
                raise judged
            return bool(judged)
        self._judged[key] = True  # for a macro that calls itself: the most that it can give
        try:
            macro = self._tree(text)
            params = [each.name for each in macro.args]
            marked = set(tainted)
            outer = _Scope((), (), False)
            for name, default in zip(  # noqa: B905  # Python 3.8
                params[len(params) - len(macro.defaults) :], macro.defaults
            ):
                if self._expression(default, outer):
                    marked.add(name)
            if "*" in marked:
                marked.update(params)
            result = self._template(macro.body, params, marked & set(params), in_macro=True)
        except NotNeutralError as reason:
            self._judged[key] = reason
            raise
        self._judged[key] = result
        return result

    def _tree(self, text: str) -> Any:
        if text not in self._parsed:
            body = self._environment.parse(text).body
            found = [each for each in body if isinstance(each, self._nodes.Macro)]
            others = [
                each
                for each in body
                if not isinstance(each, (self._nodes.Macro, self._nodes.Output))
            ]
            self._parsed[text] = found if len(found) == 1 and not others else []
        found = self._parsed[text]
        if not found:
            raise NotNeutralError("a macro has an unusual form")
        return found[0]

    def _call_macros(self, names: Sequence[str], call: Any, scope: _Scope) -> bool:
        """A call of whichever of the macros it is: all of them have to be neutral."""
        if self._yml:
            raise NotNeutralError("a macro is called")
        positional = [self._expression(each, scope) for each in call.args]
        named = [(each.key, self._expression(each.value, scope)) for each in call.kwargs]
        rest = [each for each in (call.dyn_args, call.dyn_kwargs) if each is not None]
        unknown = True in [self._expression(each, scope) for each in rest]
        result = False
        for name in names:
            for text in self._macros.get(name) or self._missing(name):
                macro = self._tree(text)
                params = [each.name for each in macro.args]
                tainted = {
                    params[at] for at, it_is in enumerate(positional[: len(params)]) if it_is
                }
                tainted.update(key for key, is_tainted in named if is_tainted)
                if unknown:
                    tainted.add("*")
                result = self._macro(text, frozenset(tainted)) or result
        return result

    # Statements.

    def _statements(self, body: Sequence[Any], scope: _Scope) -> bool:
        """Looks at the statements that may run; whether a return() is surely reached."""
        return any(self._statement(statement, scope) for statement in body)

    def _statement(self, statement: Any, scope: _Scope) -> bool:
        handle = getattr(self, "_do_" + type(statement).__name__.lower(), None)
        if handle is None:
            raise NotNeutralError(f"the tag {type(statement).__name__} is not judged")
        return bool(handle(statement, scope))

    def _do_output(self, statement: Any, scope: _Scope) -> bool:
        for each in statement.nodes:
            if self._expression(each, scope):
                scope.prints_taint = True
            if scope.in_macro and self._is_return(each):
                return True
        return False

    def _do_exprstmt(self, statement: Any, scope: _Scope) -> bool:
        tainted = self._expression(statement.node, scope)
        if self._is_return(statement.node):
            scope.prints_taint = scope.prints_taint or tainted
            return scope.in_macro
        return False

    def _is_return(self, node: Any) -> bool:
        is_call = isinstance(node, self._nodes.Call) and isinstance(node.node, self._nodes.Name)
        return is_call and node.node.name == "return" and "return" not in self._macros

    def _do_if(self, statement: Any, scope: _Scope) -> bool:
        branches = [(statement.test, statement.body)]
        branches += [(each.test, each.body) for each in statement.elif_]
        ends = []
        for test, body in branches:
            truth = self._truth(test)
            if truth is not True:
                self._decide(test, scope, "if")
            if truth is False:
                continue
            ends.append(self._statements(body, scope))
            if truth is True:
                return all(ends)
        ends.append(self._statements(statement.else_, scope))
        return all(ends)

    def _truth(self, test: Any) -> bool | None:
        """What a condition is at parse time, where that is sure without running anything."""
        nodes = self._nodes
        if isinstance(test, nodes.Name):
            return False if test.name == "execute" and not self._yml else None
        if isinstance(test, nodes.Const):
            return bool(test.value)
        if isinstance(test, nodes.Not):
            truth = self._truth(test.node)
            return None if truth is None else not truth
        if isinstance(test, nodes.And) and self._truth(test.left) is False:
            return False
        if isinstance(test, nodes.Or) and self._truth(test.left) is True:
            return True
        return None

    def _decide(self, test: Any, scope: _Scope, tag: str) -> None:
        if self._truth(test) is None and self._expression(test, scope):
            raise NotNeutralError(f"an {tag} may depend on the target")

    def _do_for(self, statement: Any, scope: _Scope) -> bool:
        if statement.recursive:
            raise NotNeutralError("a recursive loop is not judged")
        if self._expression(statement.iter, scope):
            raise NotNeutralError("a loop may depend on the target")
        if statement.test is not None:
            self._decide(statement.test, scope, "if")
        self._statements(statement.body, scope)
        self._statements(statement.else_, scope)
        return False

    def _do_assign(self, statement: Any, scope: _Scope) -> bool:
        if getattr(statement.target, "name", None) in scope.dispatched:
            return False
        self._assign(statement.target, self._expression(statement.node, scope), scope)
        return False

    def _do_assignblock(self, statement: Any, scope: _Scope) -> bool:
        outer, scope.prints_taint = scope.prints_taint, False
        self._statements(statement.body, scope)
        tainted, scope.prints_taint = scope.prints_taint, outer
        if statement.filter is not None:
            tainted = self._expression(statement.filter, scope) or tainted
        self._assign(statement.target, tainted, scope)
        return False

    def _assign(self, target: Any, tainted: bool, scope: _Scope) -> None:
        if not tainted:
            return
        if not isinstance(target, (self._nodes.Name, self._nodes.Tuple)):
            raise NotNeutralError("part of a value is set to what may depend on the target")
        if isinstance(target, self._nodes.Name):
            scope.tainted.add(target.name)
        scope.tainted.update(each.name for each in target.find_all(self._nodes.Name))

    def _do_callblock(self, statement: Any, scope: _Scope) -> bool:
        scope.tainted.update(each.name for each in statement.args)
        self._statements(statement.body, scope)
        self._expression(statement.call, scope)
        scope.prints_taint = True
        return False

    # Expressions: whether the value may be tainted; raises if it isn't neutral to reckon it.

    def _expression(self, node: Any, scope: _Scope) -> bool:
        handle = getattr(self, "_is_" + type(node).__name__.lower(), None)
        if handle is None:
            raise NotNeutralError(f"the expression {type(node).__name__} is not judged")
        return bool(handle(node, scope))

    def _is_const(self, _node: Any, _scope: _Scope) -> bool:
        return False

    _is_templatedata = _is_const

    def _is_name(self, node: Any, scope: _Scope) -> bool:
        name = node.name
        if name in scope.own:
            return name in scope.tainted
        if name in self._macros or name in self._packages:
            raise NotNeutralError(f"the macro {name} is used as a value")
        if self._yml:
            raise NotNeutralError(f"it uses {name}")
        if name in SAME_VALUES:
            return False
        if name in TAINTED_VALUES:
            return True
        raise NotNeutralError(f"it uses {name}")

    def _any(self, node: Any, scope: _Scope) -> bool:
        return True in [self._expression(each, scope) for each in node.iter_child_nodes()]

    _is_list = _is_tuple = _is_dict = _is_pair = _is_keyword = _is_slice = _is_concat = _any
    _is_add = _is_sub = _is_mul = _is_div = _is_floordiv = _is_mod = _is_pow = _any
    _is_neg = _is_pos = _is_not = _is_filter = _is_test = _is_operand = _any

    def _is_compare(self, node: Any, scope: _Scope) -> bool:
        tainted = self._any(node, scope)
        return self._lazy(node, tainted) if len(node.ops) > 1 else tainted

    def _lazy(self, node: Any, tainted: bool) -> bool:
        """Where a part may go unreckoned, a tainted one must not decide about a call."""
        if tainted and next(iter(node.find_all(self._nodes.Call)), None) is not None:
            raise NotNeutralError("whether something is called may depend on the target")
        return tainted

    def _is_and(self, node: Any, scope: _Scope) -> bool:
        if self._truth(node.left) is False:
            return False
        return self._lazy(node, self._any(node, scope))

    def _is_or(self, node: Any, scope: _Scope) -> bool:
        if self._truth(node.left) is True:
            return False
        return self._lazy(node, self._any(node, scope))

    def _is_condexpr(self, node: Any, scope: _Scope) -> bool:
        truth = self._truth(node.test)
        if truth is not None:
            part = node.expr1 if truth else node.expr2
            return part is not None and self._expression(part, scope)
        parts = [each for each in (node.expr1, node.expr2) if each is not None]
        tainted = True in [self._expression(each, scope) for each in parts]
        return self._lazy(node, self._expression(node.test, scope)) or tainted

    def _is_getattr(self, node: Any, scope: _Scope) -> bool:
        path = self._path(node)
        if path and path[0] not in scope.own:
            if path[0] == "modules" and not self._yml:
                # Others of its modules know the time.
                return path[1] not in ("re", "itertools")
            if path[:2] == ["adapter", "behavior"] and not self._yml:
                return False  # flags of dbt_project.yml
            if path[0] in ("adapter", "builtins", "config", "exceptions", "api", *self._packages):
                raise NotNeutralError(f"{'.'.join(path)} is used as a value")
        return self._expression(node.node, scope)

    def _is_getitem(self, node: Any, scope: _Scope) -> bool:
        tainted = self._expression(node.node, scope)
        return self._expression(node.arg, scope) or tainted

    def _path(self, node: Any) -> list[str]:
        """['a', 'b'] of a.b, [] of anything that isn't only names and dots."""
        parts: list[str] = []
        while isinstance(node, self._nodes.Getattr):
            parts.append(node.attr)
            node = node.node
        return [node.name, *reversed(parts)] if isinstance(node, self._nodes.Name) else []

    def _is_call(self, node: Any, scope: _Scope) -> bool:
        callee = node.node
        if isinstance(callee, self._nodes.Call):
            return self._call_macros(self._dispatched(callee, scope), node, scope)
        path = self._path(callee)
        if not path:
            if isinstance(callee, self._nodes.Getattr):
                return self._method(callee, node, scope)
            raise NotNeutralError("something other than a name is called")
        if path[0] == "builtins" and len(path) == PAIR and not self._yml:
            return self._builtin(path[1], node, scope)
        if len(path) == 1:
            return self._function(path[0], node, scope)
        if path[0] in scope.own or path[0] in TAINTED_VALUES | SAME_VALUES:
            return self._method(callee, node, scope)
        return self._member(path, node, scope)

    def _function(self, name: str, call: Any, scope: _Scope) -> bool:
        if name in scope.dispatched:
            return self._call_macros(scope.dispatched[name], call, scope)
        if name in scope.own:
            raise NotNeutralError(f"{name}, a value of its own, is called")
        if name in self._macros and not self._yml:
            return self._call_macros([name], call, scope)
        return self._builtin(name, call, scope)

    def _arguments(self, call: Any, scope: _Scope) -> bool:
        parts = [*call.args, *call.kwargs]
        parts += [each for each in (call.dyn_args, call.dyn_kwargs) if each is not None]
        return True in [self._expression(each, scope) for each in parts]

    def _builtin(self, name: str, call: Any, scope: _Scope) -> bool:
        if self._yml and name in METRICFLOW:
            return self._arguments(call, scope)
        if self._yml and name not in YML:
            raise NotNeutralError(f"it calls {name}")
        tainted = self._arguments(call, scope)
        if name == "caller":
            return True
        if name in RECORDING:
            if tainted:
                raise NotNeutralError(f"an argument of {name}() may depend on the target")
            if name == "env_var" and not self._env_vars:
                raise NotNeutralError("it uses an env var that dbt does not follow")
            return name in RELATIONS
        if name == "return":
            scope.prints_taint = scope.prints_taint or tainted
        if name in PURE:
            return tainted and name not in SILENT
        raise NotNeutralError(f"it calls {name}")

    def _method(self, callee: Any, call: Any, scope: _Scope) -> bool:
        if self._arguments(call, scope):
            # It could be kept in a list that decides something later.
            raise NotNeutralError("a method is given what may depend on the target")
        return self._expression(callee.node, scope)

    def _member(  # noqa: C901, PLR0911  # a table, one line a member
        self, path: list[str], call: Any, scope: _Scope
    ) -> bool:
        if self._yml:
            raise NotNeutralError(f"it calls {'.'.join(path)}")
        tainted = self._arguments(call, scope)
        first, name = path[0], path[-1]
        if first in self._packages and len(path) == PAIR:
            return self._call_macros([name], call, scope)
        if (
            first == "adapter"
            and len(path) == PAIR
            and (name in self._replaced or name in PLAIN_METHODS)
        ):
            return tainted
        if (
            first == "config"
            and len(path) == PAIR
            and name != "set"
            and "config" not in self._macros
        ):
            # ParseConfigObject in dbt/context/providers.py: constants.
            return False
        if first == "exceptions" and len(path) == PAIR:
            return False
        if path[:2] == ["modules", "re"] or path[:2] == ["modules", "itertools"]:
            if tainted:
                raise NotNeutralError("a module is given what may depend on the target")
            return False
        if path[:2] in (["modules", "datetime"], ["modules", "pytz"]) and not tainted:
            return True  # the time, or what may be told from it
        if path[:2] == ["api", "Column"]:
            return tainted
        if path == ["api", "Relation", "create"]:
            return True
        raise NotNeutralError(f"it calls {'.'.join(path)}")

    def _dispatched(self, callee: Any, scope: _Scope) -> list[str]:
        """The names of all macros that adapter.dispatch('name') may give."""
        if self._path(callee.node) != ["adapter", "dispatch"] or "adapter" in scope.own:
            raise NotNeutralError("what a call gives is called")
        names = [each.value for each in callee.kwargs if each.key == "macro_name"] + callee.args[:1]
        if len(names) != 1 or not isinstance(names[0], self._nodes.Const):
            raise NotNeutralError("the name of a dispatched macro is reckoned")
        if callee.dyn_args is not None or callee.dyn_kwargs is not None:
            raise NotNeutralError("the name of a dispatched macro is reckoned")
        for each in [*callee.args[1:], *(each.value for each in callee.kwargs)]:
            if self._expression(each, scope):
                raise NotNeutralError("where a macro is dispatched may depend on the target")
        found = self._implementations.get(str(names[0].value), [])
        if not found:
            raise NotNeutralError(f"no implementation of {names[0].value} is known")
        return found
