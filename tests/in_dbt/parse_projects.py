"""dbt projects, small but with everything in it that a saved parse could get wrong."""

# ruff: noqa: E501  # Jinja and YAML, as people write them

from __future__ import annotations

PROFILES = """
shop:
  target: prod
  outputs:
    prod: &prod
      {type: postgres, host: db.example, port: 5432, user: deploy, password: "{{ env_var('PGPASSWORD', 'x') }}",
       dbname: warehouse, schema: analytics, threads: 4}
    ci:
      {type: postgres, host: ci.example, port: 5432, user: "{{ env_var('CI_USER', 'ci') }}", password: y,
       dbname: warehouse, schema: "{{ env_var('CI_SCHEMA', 'pr_7') }}", threads: 2}
    elsewhere:
      {type: postgres, host: db.example, port: 5432, user: deploy, password: z,
       dbname: lake, schema: analytics, threads: 4}
"""

PROJECT = """
name: shop
version: "1.0.0"
profile: shop
flags: {send_anonymous_usage_stats: false}
vars: {first_day: "2020-01-01"}
on-run-start:
  - "create schema if not exists {{ target.schema }}_log"
on-run-end: ["{{ note_end() }}"]
models:
  shop:
    staging: {+materialized: view, +tags: ["{{ var('layer', 'staging') }}"]}
    marts:
      +materialized: table
      +schema: marts
      +post-hook: "comment on table {{ this }} is '{{ target.name }}'"
seeds: {shop: {+schema: seeds}}
"""

SCHEMA = """
version: 2
groups:
  - {name: sales, owner: {name: Sales, email: sales@example.com}}
sources:
  - name: raw
    schema: landing
    tables:
      - name: orders
        columns: [{name: id, tests: [unique, not_null]}]
      - name: customers
models:
  - name: stg_orders
    description: "{{ doc('orders') }}"
    columns:
      - {name: id, description: "{{ doc('orders') }}", tests: [unique, not_null]}
      - name: customer_id
        tests:
          - relationships: {to: ref('stg_customers'), field: id}
          - accepted_values:
              values: [1, 2]
              config: {severity: warn, where: "id > 0"}
  - name: customers
    config: {group: sales, contract: {enforced: false}, meta: {owner: us}}
    columns:
      - name: id
        tests:
          - positive: {config: {store_failures: true}}
          - not_null: {name: customers_have_ids, config: {store_failures: true, schema: checks}}
  - name: dim
    latest_version: 2
    config: {materialized: table}
    versions: [{v: 1}, {v: 2, config: {alias: dim_second}}]
    columns: [{name: id, tests: [unique]}]
  - name: hidden
    description: never seen
exposures:
  - {name: board, type: dashboard, owner: {email: a@example.com}, depends_on: [ref('orders'), "source('raw', 'orders')"]}
unit_tests:
  - name: customers_add_up
    model: customers
    given: [{input: ref('stg_customers'), rows: [{id: 1}]}]
    expect: {rows: [{id: 1}]}
"""

PLAIN = {
    "profiles.yml": PROFILES,
    "dbt_project.yml": PROJECT,
    "models/schema.yml": SCHEMA,
    "models/docs.md": "{% docs orders %}What was ordered.{% enddocs %}",
    "models/staging/stg_orders.sql": "select * from {{ source('raw', 'orders') }}",
    "models/staging/stg_customers.sql": "select *, {{ cents('x') }} as y from {{ source('raw', 'customers') }}",
    "models/marts/customers.sql": """
{{ config(tags=['mart'], alias='clients') }}
-- depends_on: {{ ref('stg_orders') }}
{% set columns = ['a', 'b'] %}
select {% for each in columns %}{{ tools.shout(each) }}{% if not loop.last %},{% endif %}{% endfor %}, id
from {{ ref('stg_customers') }} where day >= '{{ var("first_day") }}'
""",
    "models/marts/orders.sql": """
{{ config(materialized='incremental', unique_key='id') }}
select * from {{ ref('stg_orders') }}
{% if is_incremental() %} where at > (select max(at) from {{ this }}) {% endif %}
""",
    "models/marts/hooked.sql": """
{{ config(pre_hook=["truncate {{ this.schema }}.log", "{{ note_end() }}"]) }}
select {{ star_of(ref('stg_orders')) }} from {{ ref('stg_orders') }}
""",
    "models/marts/dim_v1.sql": "select id from {{ ref('customers') }}",
    "models/marts/dim_v2.sql": "select id, 2 as v from {{ ref('customers') }}",
    "models/marts/uses_dim.sql": "select * from {{ ref('dim', v=1) }} union {{ ref('dim') }}",
    "models/marts/obsolete.sql": "select * from {{ ref('stg_orders') }}",
    "models/marts/hidden.sql": "{{ config(enabled=false) }} select * from {{ ref('stg_orders') }}",
    "models/marts/passing.sql": "{{ config(materialized='ephemeral') }} select 1 as id, '{{ target.schema }}' as s",
    "models/marts/printed.sql": "select '{{ run_started_at }}' as at, '{{ target.name }}' from {{ ref('passing') }}",
    "snapshots/kept.sql": """
{% snapshot orders_kept %}
{{ config(target_schema='snaps', unique_key='id', strategy='check', check_cols='all') }}
select * from {{ ref('stg_orders') }}
{% endsnapshot %}
""",
    "seeds/countries.csv": "id,name\n1,Chad\n",
    "tests/no_orphans.sql": """
{{ config(store_failures=true, schema='audit') }} select * from {{ ref('orders') }} where customer_id is null
""",
    "tests/generic/positive.sql": """
{% test positive(model, column_name) %}
select * from {{ model }} where {{ column_name }} < 0
{% endtest %}
""",
    "analyses/look.sql": "select * from {{ ref('orders') }} where s = '{{ target.schema }}'",
    "macros/own.sql": """
{% macro cents(name) %}({{ name }} / 100)::numeric{% endmacro %}
{% macro note_end() %}insert into {{ target.schema }}.log values ('{{ invocation_id }}'){% endmacro %}
{% macro star_of(relation) %}
{% if not execute %}{{ return('*') }}{% endif %}
{% for column in adapter.get_columns_in_relation(relation) %}{{ column.name }}{% endfor %}
{% endmacro %}
""",
    "packages.yml": "packages: [{local: ../tools}]",
    "dbt_packages/tools/dbt_project.yml": "name: tools\nversion: '1.0.0'\nmodels: {tools: {+schema: tools}}\n",
    "dbt_packages/tools/macros/shout.sql": """
{% macro shout(name) %}{{ return(adapter.dispatch('shout', 'tools')(name)) }}{% endmacro %}
{% macro default__shout(name) %}upper({{ name }}){% endmacro %}
""",
    "dbt_packages/tools/models/days.sql": "select '{{ tools.shout(target.schema) }}' as day",
}

# The same in every version but these.
NEWER = {
    "snapshots/newer.yml": """
snapshots:
  - {name: customers_kept, relation: ref('customers'), config: {unique_key: id, strategy: check, check_cols: all}}
  - {name: raw_kept, relation: "source('raw', 'orders')",
     config: {schema: history, unique_key: id, strategy: check, check_cols: all}}
""",
}

CHANGES: dict[str, str | None] = {
    "models/staging/stg_orders.sql": "select *, 1 as more from {{ source('raw', 'orders') }}",
    "models/schema.yml": SCHEMA.replace(
        "columns: [{name: id, tests: [unique]}]",
        "columns: [{name: id, description: now said, tests: [unique, not_null]}]",
    ),
    "models/marts/obsolete.sql": None,
    "models/marts/fresh.sql": "{{ config(schema='fresh') }} select * from {{ ref('customers') }} -- {{ this }}",
}

SCHEMA_MACRO = """
{% macro generate_schema_name(custom_schema_name, node) -%}
{%- if target.name == 'prod' and custom_schema_name -%}{{ custom_schema_name | trim }}
{%- elif node.resource_type == 'seed' -%}{{ env_var('PREFIX', '') }}{{ target.schema }}_seeds
{%- elif node.config.materialized == 'view' and node.fqn[1] == 'staging' -%}{{ target.schema }}_views
{%- else -%}{{ generate_schema_name_for_env(custom_schema_name, node) }}{%- endif -%}
{%- endmacro %}
"""
ALIAS_MACRO = """
{% macro generate_alias_name(custom_alias_name=none, node=none) -%}
{%- if target.name == 'prod' -%}{{ custom_alias_name or node.name }}
{%- else -%}{{ target.schema }}__{{ custom_alias_name or node.name }}{{ node.version or '' }}{%- endif -%}
{%- endmacro %}
"""

AWARE = {
    "models/marts/deciding.sql": """
{{ config(materialized='table' if target.name == 'prod' else 'view') }}
{% if target.name == 'prod' %}select * from {{ ref('stg_orders') }}
{% else %}select * from {{ ref('stg_customers') }}{% endif %}
""",
    "models/marts/by_macro.sql": "select * from {{ choose() }} where {{ only_here() }}",
    "models/marts/by_env.sql": "{{ config(tags=[env_var('TAG', 'none')]) }} select 1 as id",
    "models/marts/by_flow.sql": """
{% set parts = [] %}{% do parts.append(target.name) %}
{% if 'ci' in parts %}{{ config(tags=['ci']) }}{% endif %}select 1 as id
""",
    "models/marts/by_this.sql": """
{% if this.schema == 'analytics' %}{{ config(tags=['prod']) }}{% endif %}select 1 as id
""",
    "models/marts/by_default.sql": "{{ config(meta={'schema': target.schema}) }}select 1 as id",
    "models/marts/by_hook.sql": """
{{ config(pre_hook="{% if target.name == 'prod' %}{{ note_end() }}{% else %}{{ cents('a') }}{% endif %}") }}select 1
""",
    "models/marts/by_ref.sql": """
{% set r = ref('stg_orders') %}{% if r.schema == target.schema %}{{ config(tags=[r.schema]) }}{% endif %}
select * from {{ r }}
""",
    "models/aware.yml": """
version: 2
sources:
  - name: made
    schema: "{{ target.schema }}_made"
    tables: [{name: things, tests: [{shaped: {}}]}, {name: parts}]
  - name: fixed
    schema: "{{ env_var('FIXED', 'fixed') }}"
    tables: [{name: things}]
models:
  - name: by_macro
    description: "as {{ target.name }} has it"
    config: {meta: {who: "{{ target.user }}"}, tags: ["{{ env_var('TAG', 'none') }}"]}
    columns:
      - name: id
        tests: [{not_null: {config: {where: "'{{ target.name }}' = 'x'"}}}, {shaped: {}}]
  - {name: uses_made, columns: [{name: id, tests: [{compared: {other: "{{ ref('by_env') }}"}}]}]}
  - {name: tested, columns: [{name: id, tests: [{compared: {other: "{{ ref('by_env') }}"}}]}]}
exposures:
  - {name: aware, type: dashboard, url: "https://{{ target.name }}.example", owner: {email: a@example.com},
     depends_on: [ref('by_env')]}
""",
    "models/marts/tested.sql": "select 1 as id",
    "models/marts/uses_made.sql": "select * from {{ source('made', 'things') }}, {{ source('fixed', 'things') }}",
    "macros/aware.sql": """
{% macro choose() %}{% if target.name == 'prod' %}{{ return(ref('customers')) }}{% endif %}
{{ return(ref('orders')) }}{% endmacro %}
{% macro only_here() %}{{ return(adapter.dispatch('only_here')()) }}{% endmacro %}
{% macro default__only_here() %}{{ 'true' if target.name == 'prod' else cents('1') }}{% endmacro %}
{% test shaped(model, column_name=none) %}
{% if target.name == 'prod' %}select * from {{ model }}, {{ ref('orders') }}{% else %}select 1{% endif %}
{% endtest %}
{% test compared(model, column_name, other) %}
{% if other.schema == 'analytics' %}select * from {{ ref('orders') }}{% else %}select * from {{ other }}{% endif %}
{% endtest %}
""",
    "snapshots/aware.sql": """
{% snapshot aware %}
{{ config(target_schema=target.schema, unique_key='id', strategy='check', check_cols='all') }}
select * from {{ ref('stg_orders') }}
{% endsnapshot %}
""",
    "tests/aware.sql": "select * from {% if target.name == 'prod' %}{{ ref('orders') }}{% else %}{{ ref('dim') }}{% endif %}",
}

OPERATION = PROJECT.replace(
    '["{{ note_end() }}"]', "[\"{% if target.name == 'prod' %}{{ note_end() }}{% endif %}\"]"
)

AWARE_AGAIN = {
    *(f"models/marts/{name}.sql" for name in ("deciding", "by_macro", "by_flow", "by_this")),
    *(f"models/marts/{name}.sql" for name in ("by_default", "by_hook", "by_ref")),
    *("snapshots/aware.sql", "tests/aware.sql", "models/aware.yml sources made"),
    *("models/aware.yml models by_macro", "models/aware.yml models uses_made"),
    "models/aware.yml models tested",
    "models/aware.yml exposures aware",
}
