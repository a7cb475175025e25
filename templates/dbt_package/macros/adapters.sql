{#
  What differs between warehouses. Another adapter needs these three macros, prefixed with its name;
  until it has them, dbt-deploy refuses it by name.
#}

{# The schema's comment: none where there is no such schema, an empty string where it has none. #}
{% macro schema_comment(database, schema) %}
  {{ return(adapter.dispatch('schema_comment', 'dbtdeploy')(database, schema)) }}
{% endmacro %}

{% macro default__schema_comment(database, schema) %}
  {{ dbtdeploy.no_macro('schema_comment') }}
{% endmacro %}

{% macro postgres__schema_comment(database, schema) %}
  {% do dbtdeploy.refuse_heirs('postgres', 'schema_comment') %}
  {% set found = run_query(
      "select coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace where nspname = "
      ~ dbtdeploy.literal(schema)) %}
  {{ return(found.rows[0][0] if found.rows else none) }}
{% endmacro %}

{# Information schema: https://docs.snowflake.com/en/sql-reference/info-schema/schemata #}
{% macro snowflake__schema_comment(database, schema) %}
  {% set found = run_query(
      "select coalesce(comment, '') from " ~ database ~ ".information_schema.schemata"
      ~ " where upper(schema_name) = upper(" ~ dbtdeploy.literal(schema) ~ ")") %}
  {{ return(found.rows[0][0] if found.rows else none) }}
{% endmacro %}


{# Creates the schema if it is not there, and sets its comment to the mark, in one statement string. #}
{% macro create_marked_schema_sql(database, schema, mark) %}
  {{ return(adapter.dispatch('create_marked_schema_sql', 'dbtdeploy')(database, schema, mark)) }}
{% endmacro %}

{% macro default__create_marked_schema_sql(database, schema, mark) %}
  {{ dbtdeploy.no_macro('create_marked_schema_sql') }}
{% endmacro %}

{% macro postgres__create_marked_schema_sql(database, schema, mark) %}
  {% do dbtdeploy.refuse_heirs('postgres', 'create_marked_schema_sql') %}
  {% set name = adapter.quote(schema) %}
  {{ return('select ' ~ dbtdeploy.postgres_lock(dbtdeploy.literal(schema))
      ~ '; create schema if not exists ' ~ name ~ '; comment on schema ' ~ name ~ ' is '
      ~ dbtdeploy.literal(mark)) }}
{% endmacro %}

{# https://docs.snowflake.com/en/sql-reference/sql/create-schema #}
{% macro snowflake__create_marked_schema_sql(database, schema, mark) %}
  {{ return('create schema if not exists ' ~ database ~ '.' ~ schema ~ '; comment on schema '
      ~ database ~ '.' ~ schema ~ ' is ' ~ dbtdeploy.literal(mark)) }}
{% endmacro %}


{#
  Makes target a table with source's columns and its rows: all of them, or the newest by a column.
  Returns {how, rows, order_by}; how is all, latest or clone.
#}
{% macro copy_rows(source, target, rows, order_by) %}
  {{ return(adapter.dispatch('copy_rows', 'dbtdeploy')(source, target, rows, order_by)) }}
{% endmacro %}

{% macro default__copy_rows(source, target, rows, order_by) %}
  {{ dbtdeploy.no_macro('copy_rows') }}
{% endmacro %}

{#
  LIKE ... INCLUDING ALL keeps indexes and constraints, which a unique_key may lean on. Identity and
  generated columns become plain ones: their values are copied, not made anew. run-operation waits in
  the driver for its query and hears no interrupt, so a cancelled job can only end dbt; from version
  14 on the server then ends the query itself. An older one has no such setting, and finishes it.
#}
{% macro postgres__copy_rows(source, target, rows, order_by) %}
  {% do dbtdeploy.refuse_heirs('postgres', 'copy_rows') %}
  {% do run_query("select set_config(name, '1s', false) from pg_settings where name = 'client_connection_check_interval'") %}
  {% call statement('copy_rows') %}
    create table {{ target }} (like {{ source }} including all excluding identity excluding generated);
    insert into {{ target }} select * from {{ source }}{{ dbtdeploy.newest(rows, order_by) }}
  {% endcall %}
  {{ return({'how': 'latest' if rows is not none else 'all',
             'rows': load_result('copy_rows').response.rows_affected, 'order_by': order_by}) }}
{% endmacro %}

{# Zero-copy: https://docs.snowflake.com/en/sql-reference/sql/create-clone #}
{% macro snowflake__copy_rows(source, target, rows, order_by) %}
  {% if rows is none %}
    {% do run_query('create or replace table ' ~ target ~ ' clone ' ~ source) %}
    {{ return({'how': 'clone', 'rows': none, 'order_by': none}) }}
  {% endif %}
  {% call statement('copy_rows') %}
    create or replace table {{ target }} as select * from {{ source }}{{ dbtdeploy.newest(rows, order_by) }}
  {% endcall %}
  {{ return({'how': 'latest', 'rows': rows, 'order_by': order_by}) }}
{% endmacro %}


{# Looking a relation up begins a transaction, which run-operation of dbt 1.8 leaves open. #}
{% macro end_transaction() %}
  {{ return(adapter.dispatch('end_transaction', 'dbtdeploy')()) }}
{% endmacro %}

{% macro default__end_transaction() %}
  {% do run_query('commit') %}
{% endmacro %}


{% macro newest(rows, order_by) %}
  {%- if rows is not none %} order by {{ adapter.quote(order_by) }} desc nulls last limit {{ rows }}{% endif -%}
{% endmacro %}

{% macro literal(text) %}
  {{ return("'" ~ text | replace("'", "''") ~ "'") }}
{% endmacro %}

{% macro no_macro(name) %}
  {{ exceptions.raise_compiler_error(
      'dbt-deploy has no macro ' ~ name ~ ' for the adapter ' ~ adapter.type() ~ '. Add '
      ~ adapter.type() ~ '__' ~ name ~ ' to its dbt_package/macros.') }}
{% endmacro %}

{#
  dbt gives an adapter the macros of the one that it inherits from: Redshift those of PostgreSQL, which
  has locks, catalogs and DO blocks that Redshift has not.
#}
{% macro refuse_heirs(of, name) %}
  {% if adapter.type() != of %}{{ dbtdeploy.no_macro(name) }}{% endif %}
{% endmacro %}
