"""What stands in production before it is rebuilt: the macro's answer as types, and refusals. Pure.

The answer is that of ``look_at_production`` in templates/dbt_package/. Its names are quoted
where a statement must quote them, but for ``schema`` and ``name`` of ``DependentObject``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from dbtdeploy.base import errors, text

UNTOUCHED = "Nothing was built, and nothing was dropped or changed in the warehouse."

LISTED = 100

DECLARED = "dbt-deploy: pull requests"
"""What a role's comment holds by which an administrator says that pull requests build as it."""


class Schema(Struct, frozen=True, kw_only=True):
    """A schema in which this role may not make relations."""

    schema: str
    there: bool


class BuildRelation(Struct, frozen=True, kw_only=True):
    """A relation of the build's, or one that a killed dbt left; ``kind`` in dbt's words."""

    key: str
    full_name: str
    kind: str
    owner: str
    gone: bool
    otherwise: str
    leftover_of: str | None
    allowed: bool


class Function(Struct, frozen=True, kw_only=True):
    """A function that dbt would replace, and somebody else's."""

    full_name: str
    owner: str


class DependentObject(Struct, frozen=True, kw_only=True):
    """Something that goes with a relation, and how to make it again."""

    key: str
    kind: str
    schema: str
    name: str
    full_name: str
    owner: str
    gone: bool
    """False where it hangs on tables that are only altered."""
    ours: bool
    """Whether this role could make it again."""
    pull_request: bool = False
    """Whether it is a pull request's, which goes with what is rebuilt and stops nothing."""
    ahead: bool = False
    """Whether a release makes or checks it before its locks, so that no reader waits for it."""
    there: str
    statements: tuple[str, ...]
    parents: tuple[str, ...] = ()


class Lost(Struct, frozen=True, kw_only=True):
    """Something that goes, and that nobody can make again, as PostgreSQL describes it."""

    name: str
    owner: str
    pull_request: bool = False
    """As of ``DependentObject``."""


class UntrustedObject(Struct, frozen=True, kw_only=True):
    """Something by which other roles could run code with this role's rights."""

    kind: str
    """A key of ``UNTRUSTED``."""
    name: str
    roles: tuple[str, ...]


class Preflight(Struct, frozen=True, kw_only=True):
    """Everything of it. ``unchecked`` says what this warehouse's macros cannot see."""

    role: str = ""
    database: str = ""
    may_create_schemas: bool = True
    may_use_temporary_tables: bool = True
    schemas: tuple[Schema, ...] = ()
    relations: tuple[BuildRelation, ...] = ()
    functions: tuple[Function, ...] = ()
    dependents: tuple[DependentObject, ...] = ()
    lost: tuple[Lost, ...] = ()
    untrusted_objects: tuple[UntrustedObject, ...] = ()
    unchecked: str | None = None
    macro: str | None = None
    """Which one would see it; None where there is nothing more to see."""


def refuse_missing_privileges(look: Preflight) -> None:
    """Refuse a build that would fail half-way for lack of a right.

    Raises:
        PrivilegesMissing: names all that is missing, and the statements that grant it.
    """
    missing = [*_schemas(look), *_temporary(look), *_relations(look), *_functions(look)]
    if not missing:
        return
    what = text.bullets([said for said, _ in missing], LISTED)
    raise errors.PrivilegesMissing(
        f"The role {look.role} of this profile lacks what this build needs:\n{what}",
        not_done=UNTOUCHED,
        remedy="Let the owners, or a superuser, run\n"
        + _statements([statement for _, statement in missing]),
    )


UNTRUSTED = {
    "absent": (
        "the schema {name} of its search path is not there, and {roles} may make it",
        "ALTER ROLE {role} IN DATABASE {database} SET search_path = public;",
    ),
    "path": (
        "in the schema {name} of its search path {roles} may make functions",
        "REVOKE CREATE ON SCHEMA {name} FROM PUBLIC, {roles};",
    ),
    "path object": ("{name}, in a schema of its search path, is {roles}'s", "DROP {name};"),
    "schema": (
        "the schema {name}, which it writes to, is {roles}'s",
        "ALTER SCHEMA {name} OWNER TO {role};",
    ),
    "create": (
        "in the schema {name} {roles} may make tables",
        "REVOKE CREATE ON SCHEMA {name} FROM PUBLIC, {roles};",
    ),
    "relation": (
        "the table {name}, which it writes to, is {roles}'s",
        "ALTER TABLE {name} OWNER TO {role};",
    ),
    "partition": (
        "{name}, a partition or child of a table that it writes to, is {roles}'s",
        "ALTER TABLE {name} OWNER TO {role};",
    ),
    "shape": (
        "the {name} of {roles} is not the plain table that dbt-deploy makes",
        "DROP {name};",
    ),
    "trigger": ("the trigger {name} runs a function of {roles}", "DROP TRIGGER {name};"),
    "may trigger": (
        "{roles}, the role of pull requests, may put a trigger on {name}",
        "REVOKE TRIGGER ON {name} FROM PUBLIC, {roles};",
    ),
    "taken": (
        "the schema {name} has a name that this run takes for its own, and is {roles}'s",
        "DROP SCHEMA {name} CASCADE;",
    ),
    "unmade": (
        "the schema {name}, which it reads, is not there, and {roles}, the role of pull requests, "
        "may make it",
        "CREATE SCHEMA {name};",
    ),
    "read schema": (
        "the schema {name}, which it reads, is {roles}'s, the role of pull requests",
        "ALTER SCHEMA {name} OWNER TO {role};",
    ),
    "read": (
        "the {name}, which it reads, is {roles}'s, the role of pull requests",
        "DROP {name};",
    ),
}
"""By kind: what is told, and the statement that ends it."""


def refuse_untrusted(look: Preflight, *, not_done: str = UNTOUCHED) -> None:
    """Refuse to write where another role's code would run with this role's rights.

    Args:
        look: what the warehouse answered.
        not_done: what it was stopped before.

    Raises:
        ExposedToOthers: names all of it, and the statements that end it.
    """
    if not look.untrusted_objects:
        return
    said, remedies = [], []
    for one in look.untrusted_objects:
        words, statement = UNTRUSTED[one.kind]
        names = {
            "name": one.name,
            "roles": ", ".join(one.roles),
            "role": look.role,
            "database": look.database,
        }
        own_path = one.kind == "path" and one.name == look.role
        said.append(words.format(**names))
        remedies.append((UNTRUSTED["absent"][1] if own_path else statement).format(**names))
    raise errors.ExposedToOthers(
        f"Other roles could run code with the rights of {look.role}:\n"
        + text.bullets(said, LISTED),
        not_done=not_done,
        remedy="Look at what is there first. Then let the owners, or a superuser, run\n"
        + _statements(list(dict.fromkeys(remedies)))
        + "\nA profile with `search_path` sets it there instead of the role.",
    )


def leftovers(look: Preflight) -> tuple[BuildRelation, ...]:
    """What a killed dbt left, of relations of this build; dbt drops it before it builds them."""
    return tuple(relation for relation in look.relations if relation.leftover_of is not None)


def taken_from_pull_requests(look: Preflight) -> tuple[str, ...]:
    """What the build takes from pull requests, with its owner."""
    lost = [
        f"{one.kind} {one.full_name} of {one.owner}"
        for one in look.dependents
        if one.pull_request and one.gone
    ]
    return (*lost, *(f"{one.name} of {one.owner}" for one in look.lost if one.pull_request))


def names_of(look: Preflight) -> dict[str, str]:
    """Key to full name, of all that something can hang on."""
    named: Iterable[BuildRelation | DependentObject] = (*look.relations, *look.dependents)
    return {one.key: one.full_name for one in named}


def _schemas(look: Preflight) -> Iterable[tuple[str, str]]:
    for one in look.schemas:
        if one.there:
            yield (
                f"CREATE on the schema {one.schema}",
                f"GRANT USAGE, CREATE ON SCHEMA {one.schema} TO {look.role};",
            )
    absent = [one.schema for one in look.schemas if not one.there]
    if absent:
        yield (
            f"CREATE on the database {look.database}, for the schema "
            f"{', '.join(absent)} that is not there yet",
            f"GRANT CREATE ON DATABASE {look.database} TO {look.role};",
        )


def _temporary(look: Preflight) -> Iterable[tuple[str, str]]:
    if not look.may_use_temporary_tables:
        yield (
            f"TEMPORARY on the database {look.database}, for incremental models and snapshots",
            f"GRANT TEMPORARY ON DATABASE {look.database} TO {look.role};",
        )


def _relations(look: Preflight) -> Iterable[tuple[str, str]]:
    for one in (relation for relation in look.relations if not relation.allowed):
        name, kind = one.full_name, one.kind.replace("_", " ")
        left = f", left by a dbt that was killed while it built {one.leftover_of}"
        if one.gone or one.otherwise == "refresh":
            said = f"ownership of the {kind} {name}, which is {one.owner}'s"
            statement = f"ALTER {kind.upper()} {name} OWNER TO {look.role};"
        else:
            rights = "INSERT, TRUNCATE" if one.otherwise == "truncate" else ALTERING
            said = f"{rights} on the {kind} {name}, which is {one.owner}'s"
            statement = f"GRANT {rights} ON {name} TO {look.role};"
        yield said + (left if one.leftover_of is not None else ""), statement


ALTERING = "SELECT, INSERT, UPDATE, DELETE"


def _functions(look: Preflight) -> Iterable[tuple[str, str]]:
    for one in look.functions:
        yield (
            f"ownership of the function {one.full_name}, which is {one.owner}'s",
            f"ALTER FUNCTION {one.full_name} OWNER TO {look.role};",
        )


def _statements(wanted: Sequence[str]) -> str:
    more = len(wanted) - LISTED
    shown = [f"    {statement}" for statement in wanted[:LISTED]]
    return "\n".join([*shown, f"and {more:,} more"] if more > 0 else shown)
