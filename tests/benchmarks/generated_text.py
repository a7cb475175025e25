"""The text of a generated project's files: SQL, yml, Markdown, CSV."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

PROJECT = """name: bench
version: "1.0.0"
profile: bench
require-dbt-version: [">=1.8.0", "<2.0.0"]

flags:
  send_anonymous_usage_stats: false

vars:
  first_day: "2026-01-01"
  days_back: 7

models:
  bench:
    staging:
      +materialized: view
      +tags: [staging]
    intermediate:
      +materialized: view
    marts:
      +materialized: table
      +schema: marts
      +tags: [nightly]
    reports:
      +materialized: table
      +schema: reporting

seeds:
  bench:
    +schema: reference

snapshots:
  bench:
    +schema: snapshots
"""

PROFILES = """# `ci` has no default schema on purpose; `prod` follows a release into staging.
bench:
  target: ci
  outputs:
    prod: &warehouse
      type: postgres
      host: "{{ env_var('PGHOST') }}"
      port: "{{ env_var('PGPORT', '5432') | as_number }}"
      user: "{{ env_var('PGUSER') }}"
      password: "{{ env_var('DBT_ENV_SECRET_PASSWORD') }}"
      dbname: "{{ env_var('PGDATABASE') }}"
      schema: "{{ env_var('DBT_DEPLOY_SCHEMA', 'analytics') }}"
      threads: 8
    ci:
      <<: *warehouse
      schema: "{{ env_var('DBT_DEPLOY_SCHEMA') }}"
"""

PACKAGES = "packages:\n  - local: packages/house_style\n"
"""From this repository, as dbt's hub may be out of reach."""

README = "# The generated project\n\nSee tests/benchmarks/generated.py of dbt-deploy.\n"

MACROS = {
    "macros/cents_to_units.sql": """{% macro cents_to_units(column, digits=2) %}
    round({{ column }}::numeric / 100, {{ digits }})
{%- endmacro %}
""",
    "macros/surrogate_key.sql": """{% macro surrogate_key(columns) %}
    md5({% for column in columns -%}
        coalesce({{ column }}::text, '') {{- " || '-' || " if not loop.last }}
    {%- endfor %})
{%- endmacro %}
""",
    "macros/since.sql": """{% macro since(column) -%}
    {{ column }} >= date '{{ var("first_day") }}'
    {%- if is_incremental() %}
    and {{ column }} > (select max({{ column.split(".")[-1] }}) from {{ this }})
        - interval '{{ var("days_back") }} days'
    {%- endif %}
{%- endmacro %}
""",
    "macros/share_of.sql": """{% macro share_of(part, whole) -%}
    {{ part }} / nullif({{ whole }}, 0)
{%- endmacro %}
""",
}

PACKAGE = {
    "packages/house_style/dbt_project.yml": (
        'name: house_style\nversion: "1.0.0"\nconfig-version: 2\n'
    ),
    "packages/house_style/macros/clean_text.sql": """{% macro clean_text(column) -%}
    nullif(lower(trim({{ column }})), '')
{%- endmacro %}
""",
    "packages/house_style/tests/generic/not_negative.sql": """
{% test not_negative(model, column_name) %}
select * from {{ model }} where {{ column_name }} < 0
{% endtest %}
""",
}

SEEDS = {
    "seeds/statuses.csv": "status,label\nnew,New\npaid,Paid\nclosed,Closed\n",
    "seeds/regions.csv": "region_id,region\n1,North\n2,South\n3,West\n",
    "seeds/_seeds.yml": """seeds:
  - name: statuses
    description: What the shop calls each status.
    columns: [{name: status, data_tests: [unique, not_null]}]
  - name: regions
    description: Where customers are.
""",
}

COLUMNS: Mapping[str, str] = {
    "id": "One row each; from the application, never used again.",
    "parent_id": "What this row belongs to.",
    "status": "Where it stands, as the application calls it.",
    "amount": "In units of the currency, with two digits, before tax.",
    "created_at": "When the application made it, in UTC.",
}

REPORT_COLUMNS = """,
        {{ surrogate_key(['id', 'status']) }} as row_key,
        {{ share_of('amount', 'sum(amount) over ()') }} as share"""

ACCEPTED = "accepted_values:\n              arguments:\n                values: [new, paid, closed]"


def relationships(parent: str) -> str:
    """A test that each ``parent_id`` is there."""
    return (
        f"relationships:\n              arguments:\n                to: ref('{parent}')\n"
        "                field: id"
    )


def properties(models: Iterable[tuple[str, Mapping[str, Sequence[str]]]], *place: str) -> str:
    """The yml beside the models of one folder: descriptions and tests."""
    layer, domain = place
    lines = ["version: 2", "", "models:"]
    for name, tests in models:
        lines += [
            f"  - name: {name}",
            "    description: >",
            f"      {name.replace('_', ' ').capitalize()}, a model of the layer {layer}.",
            f"      One row for each id, kept by the team of {domain}.",
            "    columns:",
        ]
        for column, words in COLUMNS.items():
            block = f"\"{{{{ doc('{domain}_amount') }}}}\""
            shown = block if column == "amount" else words
            lines += [f"      - name: {column}", f"        description: {shown}"]
            if tests.get(column):
                lines += ["        data_tests:", *(f"          - {t}" for t in tests[column])]
    return "\n".join(lines) + "\n"


def sources(domain: str, tables: Iterable[str]) -> str:
    """The yml of a domain's source."""
    lines = [
        "version: 2",
        "",
        "sources:",
        f"  - name: {domain}",
        "    schema: raw",
        f"    description: What the application of {domain} writes.",
        "    tables:",
    ]
    for table in tables:
        lines += [
            f"      - name: {table}",
            f"        description: Loaded every hour from the table {table} of the application.",
        ]
    return "\n".join(lines) + "\n"


def doc_blocks(domain: str) -> str:
    """A domain's doc block, which its columns show."""
    return (
        f"{{% docs {domain}_amount %}}\n\nIn units of the currency, before tax, as {domain} "
        "agreed with finance.\nRefunds are negative in the application and not here.\n\n"
        "{% enddocs %}\n"
    )


def exposure(domain: str, reports: Iterable[str]) -> str:
    """A dashboard that reads a domain's reports."""
    depends = "".join(f"      - ref('{name}')\n" for name in reports)
    return (
        f"version: 2\n\nexposures:\n  - name: {domain}_dashboard\n    type: dashboard\n"
        f"    maturity: high\n    description: The weekly figures of {domain}.\n"
        f"    owner: {{name: Team {domain}, email: {domain}@example.com}}\n"
        f"    depends_on:\n{depends}"
    )


def snapshot(domain: str, of: str) -> str:
    """A domain's snapshot, in yml, as dbt's guides write them since 1.9."""
    return f"""version: 2

snapshots:
  - name: {domain}_history
    relation: ref('{of}')
    description: What each row of {of} was before.
    config:
      unique_key: id
      strategy: check
      check_cols: [status, amount]
"""


def singular_test(of: str) -> str:
    """A test in SQL."""
    return f"select id, amount from {{{{ ref('{of}') }}}} where amount < 0\n"


def config(*, incremental: bool, table: bool) -> str:
    """A model's own configuration, where the folder's will not do."""
    if incremental:
        return (
            "{{ config(\n    materialized='incremental',\n    unique_key='id',\n"
            "    on_schema_change='append_new_columns'\n) }}\n\n"
        )
    return "{{ config(materialized='table') }}\n\n" if table else ""


def staging(domain: str, table: str, *, odd: bool) -> str:
    """A staging model: one source, its columns named and cleaned."""
    cleaned = "{{ house_style.clean_text('status') }}" if odd else "lower(status)"
    return f"""with source as (

    select * from {{{{ source('{domain}', '{table}') }}}}

),

renamed as (

    select
        -- keys
        id,
        parent_id,

        -- what it is
        {cleaned} as status,
        {{{{ cents_to_units('amount_cents') }}}} as amount,

        -- when
        created_at
    from source

)

select * from renamed
"""


def joining(
    settings: str, reads: Sequence[str], *, incremental: bool, report: bool, value: int
) -> str:
    """A model that joins those it reads on their key; a report has two columns more."""
    parts = ",\n\n".join(
        f"t{number} as (\n\n    select * from {{{{ ref('{name}') }}}}\n\n)"
        for number, name in enumerate(reads)
    )
    joins = "\n    ".join(
        f"left join t{number} on t{number}.id = t0.id" for number in range(1, len(reads))
    )
    amounts = " + ".join(f"coalesce(t{number}.amount, 0)" for number in range(len(reads)))
    more = REPORT_COLUMNS if report else ""
    where = "\n    where {{ since('t0.created_at') }}" if incremental else ""
    return f"""{settings}with {parts},

joined as (

    select
        t0.id,
        t0.parent_id,
        t0.status,
        -- nobody wants a sum that grows with the depth of the graph
        round(({amounts} + {value}) / {len(reads)}, 2) as amount,
        t0.created_at
    from t0
    {joins}{where}

),

final as (

    select
        id,
        parent_id,
        status,
        amount,
        created_at{more}
    from joined

)

select * from final
"""
